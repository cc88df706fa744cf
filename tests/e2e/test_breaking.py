"""What drills ask of a stack, on both kinds; the worker alone, with the fake engine."""

import time
from collections.abc import Iterator
from signal import SIGKILL

import pytest

from stack import ComposeStack, EmbeddedStack, Stack, StackError, free_ports, until
from stack.http import ask
from tests.harness import Watch

KINDS = [
    pytest.param(EmbeddedStack, id="embedded"),
    pytest.param(ComposeStack, id="compose", marks=pytest.mark.engine),
]
SETTINGS = {"ENGINE": "fake", "DRAIN_SECONDS": "1", "FAULTS_ENABLED": "1", "LOG_LEVEL": "warning"}


@pytest.fixture(scope="module", params=KINDS)
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of one part."""
    root = tmp_path_factory.mktemp("breaking")
    stack: EmbeddedStack | ComposeStack = request.param(root, free_ports(), ["worker"], SETTINGS)
    try:
        stack.up()
        yield stack
    finally:
        stack.discard()


def status(url: str) -> int:
    """Of `/readyz`, 0 when there is no answer."""
    try:
        return ask(f"{url}/readyz").status
    except OSError:
        return 0


def wait_for(stack: Stack, wanted: int) -> None:
    """Until the worker answers so."""
    until(lambda: status(stack.url("worker")) == wanted, 60, f"{wanted} from the worker")


def test_switches_reach_a_service(worker: Stack) -> None:
    """Those that are named are on, and off with the next call."""
    worker.inject("worker", {"unready": True})
    wait_for(worker, 503)
    worker.inject("worker", {})
    wait_for(worker, 200)


def test_one_process_is_signalled(worker: Stack) -> None:
    """It is one that serves: the master stays, and replaces it."""
    before = worker.pids("worker")
    worker.signal_process("worker", SIGKILL)
    until(lambda: set(worker.pids("worker")) - set(before), 60, "another process")
    wait_for(worker, 200)
    assert worker.pids("worker")[0] == before[0]


def test_a_cut_part_is_unreachable_until_it_is_mended(worker: Stack) -> None:
    """Nobody gets an answer of it meanwhile."""
    worker.cut("worker")
    wait_for(worker, 0)
    worker.mend("worker")
    wait_for(worker, 200)


def test_replicas_have_addresses_of_their_own(worker: Stack) -> None:
    """Each answers for itself; those too many end."""
    first, second = worker.scale("worker", 2)
    assert (status(first), status(second)) == (200, 200)
    assert len(worker.scale("worker", 1)) == 1
    until(lambda: status(second) == 0, 60, "the end of the second")


def test_a_rolling_restart_keeps_it_ready(worker: Stack) -> None:
    """Every process is another one, and there was always one that answers.

    In containers a typed 503 may be among the answers: the front door counts a replica that has just joined as ready
    until its first check of it, half a second later.
    """
    before = set(worker.pids("worker"))
    with Watch(int(worker.url("worker").rsplit(":", 1)[1]), "/model") as watch:
        worker.roll("worker")
    serving = set(worker.pids("worker")) - before
    assert serving
    assert set(watch.changes) <= ({200, 503} if isinstance(worker, ComposeStack) else {200})
    assert watch.answers[0] == watch.answers[-1] == 200


def test_a_rolling_restart_replaces_each_replica(worker: Stack) -> None:
    """Each is younger than the restart."""
    worker.scale("worker", 2)
    try:
        began = time.monotonic()
        worker.roll("worker")
        ages = [ask(f"{url}/startupz").json()["elapsed_seconds"] for url in worker.scale("worker", 2)]
        assert max(ages) < time.monotonic() - began
    finally:
        worker.scale("worker", 1)


def test_what_does_not_run_cannot_be_rolled(worker: Stack) -> None:
    """It is said."""
    worker.stop("worker")
    try:
        with pytest.raises(StackError, match="worker"):
            worker.roll("worker")
        with pytest.raises(StackError, match="worker"):
            worker.signal_process("worker", SIGKILL)
    finally:
        worker.start("worker")
