"""SIGTERM to the real services under load."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stack import Stack
from tests.harness import Gunicorn, Load
from tests.harness.gunicorn import REPOSITORY

REQUESTS = 5000


@pytest.fixture
def services(stack: Stack, tmp_path: Path) -> Iterator[dict[str, Gunicorn]]:
    """An api and a worker of their own, on the stack's stores; the worker is fake, so that the load is the server's."""
    with ExitStack() as running:

        def begin(service: str, **env: object) -> Gunicorn:
            conf = REPOSITORY / "services" / service / "gunicorn.conf.py"
            return running.enter_context(Gunicorn(conf, tmp_path, LOG_LEVEL="warning", **env)).wait_ready()

        worker = begin("worker", ENGINE="fake")
        stores = {"DATABASE_URL": stack.url("postgres"), "REDIS_URL": stack.url("valkey")}
        yield {"worker": worker, "api": begin("api", WORKER_URL=f"http://127.0.0.1:{worker.port}", **stores)}


@pytest.mark.parametrize(
    ("name", "path", "payload"),
    [
        ("api", "/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": "the same text again"}),
        ("worker", "/embeddings/", {"texts": ["the same text again"]}),
    ],
)
def test_sigterm_under_load_loses_nothing(
    services: dict[str, Gunicorn], name: str, path: str, payload: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of ≥ 5,000 requests, pooled and fresh, none is lost by clients that leave when they are told; exit 0."""
    service = services[name]
    with Load(service.port, path, payload=payload) as load:
        load.wait_for(REQUESTS)
        service.terminate()
        service.wait_for("/readyz", 503, timeout=1)
        assert service.wait_exit() == 0
    with capsys.disabled():
        counts = {"in time": dict(load.ledger.before), "later": dict(load.ledger.after)}
        print(f"\n{name}: {json.dumps({when: {str(k): v for k, v in what.items()} for when, what in counts.items()})}")
    assert load.ledger.before[200] >= REQUESTS
    assert load.ledger.lost == {}
