"""docs/lifecycle.md, rule 9, and the readiness policy: dependencies that are lost after the start."""

import pytest

from stack import until
from tests.harness import Gunicorn, Watch, answers
from tests.harness.sample import Start, World


@pytest.mark.parametrize(("policy", "status"), [("decoupled", 200), ("coupled", 503)])
@pytest.mark.parametrize("how", ["down", "hung"])
def test_a_lost_dependency(world: World, start: Start, policy: str, status: int, how: str) -> None:
    """Lost or hung, a required dependency gates readiness only if coupled; probes stay fast; it heals by itself."""
    service = start(READINESS_POLICY=policy).wait_ready()
    before = service.workers()
    with Watch(service.port, "/livez") as liveness, Watch(service.port, "/readyz") as readiness:
        lose(world, how)
        service.wait_for("/readyz/database", 503)
        service.wait_for("/readyz", status)
        verbose = service.get("/readyz?verbose").body.decode()
        assert ("(not gating)" in verbose) == (policy == "decoupled"), verbose
        assert service.get("/readyz?exclude=database").status == 200
        assert service.get("/startupz").status == 200
        find(world, how)
        service.wait_for("/readyz/database", 200)
        service.wait_for("/readyz", 200)
    assert liveness.changes == [200]
    assert "none" not in readiness.changes
    assert service.workers() == before


def lose(world: World, how: str) -> None:
    """Take the database away, or let it hang."""
    world.down("database") if how == "down" else world.up("database-check-hangs")


def find(world: World, how: str) -> None:
    """Bring it back."""
    world.up("database") if how == "down" else world.down("database-check-hangs")


def test_a_check_that_is_waited_for_never_notices(world: World, start: Start) -> None:
    """Control of rule 9: a sampler that waits for a hung check goes on calling the dependency healthy."""
    service = start("waited_check").wait_ready()
    world.up("database-check-hangs")
    with Watch(service.port, "/readyz/database") as watch:
        until(lambda: watch.count > 50, 10, "50 looks", lambda: watch.count)
    assert watch.answers == [200]


def test_readiness_answers_as_kube_apiserver_does(world: World, start: Start) -> None:
    """`?verbose` lists checks, `?exclude` is repeatable and warns of unknown names, `/readyz/{name}` is one check."""
    service: Gunicorn = start().wait_ready()
    lines = service.get("/readyz?verbose&exclude=cache&exclude=nosuch&exclude=lifecycle").body.decode().splitlines()
    assert lines == [
        "[+]lifecycle ok",
        "[+]database ok",
        "[+]cache excluded: ok",
        "[+]model ok",
        "warn: 'nosuch' is no check that can be excluded",
        "warn: 'lifecycle' is no check that can be excluded",
        "readyz check passed",
    ]
    assert service.get("/readyz/model").body == b"[+]model ok\n"
    assert service.get("/readyz/lifecycle").status == 200
    assert service.get("/readyz/nosuch").status == 404


def test_metrics_are_summed_over_processes(world: World, start: Start) -> None:
    """`/metrics` counts the requests of every process, by route template."""
    service = start(WEB_CONCURRENCY=2).wait_ready()
    seen: set[int] = set()
    requests = 0
    while len(seen) < 2 and requests < 500:
        seen.add(service.get("/work").json()["pid"])
        requests += 1
    assert len(seen) == 2
    counted = f"{answers('GET', '/work', 200)} {float(requests)}"
    # A process counts a request when its answer has been sent.
    until(lambda: counted in service.get("/metrics").body.decode(), 10, counted)
