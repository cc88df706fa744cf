"""SIGTERM to the real services under load."""

import json
from collections.abc import Iterator
from signal import SIGTERM

import pytest

from stack import Part, PartStatus, Stack, until
from tests.harness import Load, outcome

REQUESTS = 5000
TARGETS: dict[Part, tuple[str, object]] = {
    "api": ("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": "the same text again"}),
    "worker": ("/embeddings/", {"texts": ["the same text again"]}),
}


@pytest.fixture(params=list(TARGETS))
def part(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Part]:
    """Each service; the worker is fake meanwhile, so that the load is the server's own."""
    part: Part = request.param
    if part == "worker":
        stack.restart("worker", environment={"ENGINE": "fake"})
    yield part
    if status(stack, part).running:
        stack.stop(part)
    stack.start(part)
    api = int(stack.url("api").rsplit(":", 1)[1])
    until(lambda: outcome(api, "/readyz/worker") == 200, 30, "an api that has seen its worker again")


def status(stack: Stack, part: Part) -> PartStatus:
    """One part as it is now."""
    return next(each for each in stack.status() if each.part == part)


def test_sigterm_under_load_loses_nothing(stack: Stack, part: Part, capsys: pytest.CaptureFixture[str]) -> None:
    """Of ≥ 5,000 requests, pooled and fresh, none is lost by clients that leave when they are told; exit 0."""
    port = int(stack.url(part).rsplit(":", 1)[1])
    path, payload = TARGETS[part]
    with Load(port, path, payload=payload) as load:
        load.wait_for(REQUESTS)
        stack.signal(part, SIGTERM)
        until(lambda: outcome(port, "/readyz") == 503, 30, "503 from /readyz", lambda: load.ledger)
        until(lambda: not status(stack, part).running, 30, f"end of the {part}", lambda: status(stack, part))
    with capsys.disabled():
        counts = {"in time": dict(load.ledger.before), "later": dict(load.ledger.after)}
        print(f"\n{part}: {json.dumps({when: {str(k): v for k, v in what.items()} for when, what in counts.items()})}")
    assert status(stack, part).exit_code == 0
    assert load.ledger.before[200] >= REQUESTS
    assert load.ledger.lost == {}
