"""What the api's flags change, while it serves."""

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from api.flags import ApiFlags
from services.api.tests.conftest import MODEL, Start
from services.api.tests.helpers.serving import on
from services.api.tests.helpers.standin import StandIn, head
from stack import EmbeddedStack, until
from tests.harness import Gunicorn
from tests.harness.load import Load
from warmstart.settings import watched

CONF = Path(__file__).parents[1] / "gunicorn.conf.py"
PAGE = Path(__file__).parents[3] / "docs" / "flags.md"
# Flag, route, request, values.
TURNED: list[tuple[str, str, object, tuple[object, ...]]] = [
    ("exact_search", "/v1/search", {"query": "text", "limit": 3}, (True, False)),
    (
        "embedding_cache",
        "/v1/embeddings",
        {"input": ["text", "text 1"], "model": MODEL},
        ("off", "read", "write", "on"),
    ),
    ("classify_documents", "/v1/documents", {"documents": [{"id": "a", "text": "text"}]}, (True, False)),
]
DOCUMENTS = 15  # more than a search for one result takes from the index

Turn: TypeAlias = Callable[..., None]


def swap(file: Path, **flags: object) -> str:
    """Change the file as the kubelet does it; returns the text."""
    text = json.dumps(flags)
    version = file.parent / f"..{uuid4().hex}"
    version.mkdir()
    (version / file.name).write_text(text)
    (file.parent / "..data_tmp").symlink_to(version.name)
    (file.parent / "..data_tmp").rename(file.parent / "..data")
    return text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A mounted ConfigMap's file, with no flag in it."""
    (tmp_path / "mount").mkdir()
    found = tmp_path / "mount" / "flags.json"
    found.symlink_to(f"..data/{found.name}")
    swap(found)
    return found


@pytest.fixture
def client(start: Start, address: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """An api that follows the file, with some documents."""
    monkeypatch.setattr(watched, "PERIOD", 0.01)
    client = start(flags_file=file, database_url=address)
    documents = [{"id": f"flags-{number}", "text": f"text {number}"} for number in range(DOCUMENTS)]
    assert client.post("/v1/documents", json={"documents": documents}).status_code == 200
    return client


@pytest.fixture
def turn(client: TestClient, file: Path) -> Turn:
    """`turn(exact_search=True)` returns when the api has these flags."""

    def change(**flags: object) -> None:
        swap(file, **flags)
        until(lambda: now(client) == ApiFlags.model_validate(flags), 30, f"the flags {flags}")

    return change


def now(client: TestClient) -> ApiFlags:
    """The flags of an api in this process."""
    app = client.app
    assert isinstance(app, FastAPI)
    found: ApiFlags = app.state.flags.now
    return found


def count(name: str, **labels: str) -> float:
    """A sample of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def search(client: TestClient) -> Any:
    """What a search finds."""
    answer = client.post("/v1/search", json={"query": "text", "limit": 1})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_searches_are_exact_or_by_the_index(client: TestClient, turn: Turn) -> None:
    """The flag alone says whether a search asks the index, from the next request on; both find the same."""
    answers, counts = [], [count("api_exact_searches_total")]
    for flag in (False, True, False):
        turn(exact_search=flag)
        answers.append(search(client))
        counts.append(count("api_exact_searches_total"))
    assert answers[0] == answers[1] == answers[2]
    assert [after - before for before, after in pairwise(counts)] == [0, 1, 0]


def cache_counts() -> list[float]:
    """Texts found in Redis, not found there, and written to it."""
    lookups = [count("api_cache_lookups_total", result=result) for result in ("hit", "miss")]
    return [*lookups, count("api_cache_writes_total", result="ok")]


def written(before: list[float], texts: int) -> bool:
    """Whether so many texts were written since then."""
    return cache_counts()[2] == before[2] + texts


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("on", [1, 1, 1]), ("read", [0, 2, 0]), ("write", [0, 0, 2]), ("off", [0, 0, 0])],
)
def test_redis_is_used_as_the_flag_says(client: TestClient, turn: Turn, mode: str, expected: list[int]) -> None:
    """A text is asked for twice: found, not found and written as often as each mode allows; it is embedded always."""
    turn(embedding_cache=mode)
    text, before = f"cached {uuid4()}", cache_counts()
    answers = []
    for writes in (1, expected[2]):
        answers.append(client.post("/v1/embeddings", json={"input": text, "model": MODEL}))
        until(partial(written, before, min(writes, expected[2])), 30, "the write")
    turn(embedding_cache="on")
    last = cache_counts()
    assert client.post("/v1/embeddings", json={"input": f"last {text}", "model": MODEL}).status_code == 200
    until(partial(written, last, 1), 30, "the last write")  # an earlier one would have come before
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    gained = [after - earlier for earlier, after in zip(before, cache_counts(), strict=True)]
    assert gained == [expected[0], expected[1] + 1, expected[2] + 1]


def test_flags_are_turned_while_requests_run(stack: EmbeddedStack, address: str, file: Path, tmp_path: Path) -> None:
    """Each flag, in both processes: no request fails. A process that starts beside a bad file waits for a good one."""
    with api(stack, address, file, tmp_path) as service:
        service.wait_ready()
        texts = [{"id": f"flags-{number}", "text": f"text {number}"} for number in range(DOCUMENTS)]
        assert service.post("/v1/documents", {"documents": texts}, timeout=60).status == 200
        for name, path, payload, values in TURNED:
            with Load(service.port, path, payload=payload, pooled=2, fresh=2) as load:
                for value in values:
                    swap(file, **{name: value})
                    shown = f'warmstart_flag_processes{{flag="{name}",value="{str(value).lower()}"}} 2.0'
                    until(partial(shows, service, shown), 60, shown)
                    load.wait_for(load.sent + 20)
            assert load.ledger.lost == {}
        swap(file, exact_search="false")
        until(lambda: len(service.error_lines("exact_search: Input should be")) == 2, 60, "the refusal by both")
        service.wait_for("/readyz/flags", 503)
        assert service.post("/v1/search", {"query": "text"}, timeout=60).status == 200
        replaced(service, file)


def replaced(service: Gunicorn, file: Path) -> None:
    """Kill one of two processes while the file is bad, and mend it."""
    lost = service.workers()[0]
    os.kill(lost, signal.SIGKILL)
    service.wait_for_log("opening flags failed, attempt 1: FLAGS_FILE: exact_search: Input should be")
    assert service.get("/readyz").status == 200
    assert service.post("/v1/search", {"query": "text"}, timeout=60).status == 200
    swap(file)
    until(lambda: shows(service, 'warmstart_processes{phase="ready"} 2.0'), 60, "both processes")


def shows(service: Gunicorn, line: str) -> bool:
    """Whether the metrics have a line."""
    return line in service.get("/metrics", timeout=60).body.decode()


def test_a_bad_file_ends_the_start_with_status_3(
    stack: EmbeddedStack, address: str, file: Path, tmp_path: Path
) -> None:
    """One line names file, flag and reason, however many processes there are."""
    swap(file, exact_search="false")
    with api(stack, address, file, tmp_path) as service:
        assert service.wait_exit() == 3
    assert len(service.error_lines("start failed", "exact_search: Input should be a valid boolean", str(file))) == 1
    assert "Traceback" not in service.log


def labels_documents(client: TestClient, wanted: bool) -> bool:
    """Whether the flag is as it is wanted."""
    return now(client).classify_documents is wanted


def test_documents_get_labels_as_the_flag_says(address: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the next call on; the setting is the default where the file doesn't say."""
    monkeypatch.setattr(watched, "PERIOD", 0.01)
    worker = StandIn()
    worker.predictor = head("fp-1")
    with on(worker, database_url=address, classify_documents=True, flags_file=file) as client:
        for given, labels in ({}, True), ({"classify_documents": False}, False), ({}, True):
            swap(file, **given)
            until(partial(labels_documents, client, labels), 30, "the flag")
            stored = client.post("/v1/documents", json={"documents": [{"id": "a", "text": "a long text"}]})
            assert stored.status_code == 200, stored.text
            assert client.get("/v1/documents/a").json()["metadata"] == ({"label": "long"} if labels else {})


def api(stack: EmbeddedStack, address: str, file: Path, folder: Path) -> Gunicorn:
    """Two processes that follow the file."""
    addresses = {"DATABASE_URL": address, "REDIS_URL": stack.url("valkey"), "WORKER_URL": stack.url("worker")}
    own = {"DRAIN_SECONDS": 0, "REQUEST_TIMEOUT": 60, "WORKER_PATIENCE": 60, "DATABASE_PATIENCE": 60}
    return Gunicorn(CONF, folder, WEB_CONCURRENCY=2, FLAGS_FILE=file, **addresses, **own)


@pytest.mark.parametrize("name", ApiFlags.model_fields)
def test_every_flag_is_documented(name: str) -> None:
    """docs/flags.md has its name, default and meaning, as its class does."""
    field = ApiFlags.model_fields[name]
    default = json.dumps(field.default)
    assert f"| `{name}` | `{default}` | {field.description} |" in PAGE.read_text()
