"""SIGTERM to api replicas under load. Each has clients on its own published port, and the front door has others."""

from contextlib import ExitStack

import pytest

from stack import ComposeStack, Part, until
from stack.docker import Container, docker
from tests.containers.helpers import inspect, wait_exit
from tests.harness import Load, answers, get

REQUESTS = 5000
SERVED = answers("POST", "/v1/embeddings", 200).encode()
PATH, PAYLOAD = "/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": "the same text again"}


def load(port: int) -> Load:
    """Clients that stop opening connections when they are told to."""
    return Load(port, PATH, payload=PAYLOAD)


def show(capsys: pytest.CaptureFixture[str], loads: dict[str, Load]) -> None:
    """The ledgers, for the log of the run."""
    with capsys.disabled():
        for name, each in loads.items():
            print(f"\n{name}: {dict(each.ledger.before)} in time, {dict(each.ledger.after)} later")


def test_sigterm_to_one_replica_loses_nothing(
    apis: list[Container], ports: dict[Part, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """`docker kill -s TERM`: its clients lose nothing, those of the front door don't even notice; exit 0."""
    leaving = apis[1]
    with load(leaving.ports[8000]) as own, load(ports["api"]) as others:
        own.wait_for(REQUESTS)
        docker("kill", "--signal", "TERM", leaving.id)
        own.wait_told()
        assert wait_exit(leaving.id) == 0
        others.wait_for(others.sent + 500)
    show(capsys, {leaving.name: own, "front door": others})
    assert own.ledger.before[200] >= REQUESTS
    assert own.ledger.lost == {}
    assert set(others.ledger.before | others.ledger.after) == {200}
    assert inspect(leaving.id)["State"]["OOMKilled"] is False


def test_compose_stop_loses_nothing(
    replicas: ComposeStack, apis: list[Container], capsys: pytest.CaptureFixture[str]
) -> None:
    """`docker compose stop` of both replicas, each under load of its own: nothing is lost, and both exit 0."""
    with ExitStack() as running:
        loads = {each.name: running.enter_context(load(each.ports[8000])) for each in apis}
        for each in loads.values():
            each.wait_for(REQUESTS)
        replicas.project.run("stop", "api")
    show(capsys, loads)
    for name, each in loads.items():
        assert each.ledger.before[200] >= REQUESTS
        assert each.ledger.lost == {}
        assert inspect(name)["State"]["ExitCode"] == 0


def test_the_front_door_shares_requests_out(apis: list[Container], ports: dict[Part, int]) -> None:
    """Of requests on fresh connections every replica gets some, once the front door has seen that it is ready."""

    def shared() -> bool:
        return all(SERVED in get(each.ports[8000], "/metrics").body for each in apis)

    with Load(ports["api"], PATH, payload=PAYLOAD, pooled=0) as clients:
        until(shared, 20, "a request to every replica")
    assert set(clients.ledger.before) == {200}
