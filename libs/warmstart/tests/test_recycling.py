"""A process that ends while the service goes on is replaced first if possible, and takes nothing with it."""

import os
import signal

import psutil
import pytest

from stack import until
from tests.harness import Gunicorn, Load, Watch, answers
from tests.harness.sample import Start, World

# Seconds, more than a busy machine stops a client: one that sends nothing during the drain meets a closed connection.
DRAIN = 0.6


def recycled(service: Gunicorn) -> int:
    """The number of processes that have served their number of requests."""
    return service.log.count("it is time for a successor")


@pytest.mark.parametrize(
    ("processes", "limits"), [(1, "--max-requests 30"), (3, "--max-requests 9 --max-requests-jitter 9")]
)
def test_recycling_loses_nothing(world: World, start: Start, processes: int, limits: str) -> None:
    """With `--max-requests` each process is replaced by a ready one before it drains, again and again."""
    service = start(WEB_CONCURRENCY=processes, DRAIN_SECONDS=DRAIN, GUNICORN_CMD_ARGS=limits).wait_ready()
    with Watch(service.port, "/readyz") as watch, Load(service.port, "/work", pooled=2, fresh=2, stays=True) as load:
        until(lambda: recycled(service) >= 3 * processes, 60, "recycled processes", lambda: service.log[-1500:])
    assert load.ledger.lost == {}, service.log[-3000:]
    assert watch.answers == [200]
    assert service.get("/metrics").status == 200
    assert len(service.workers()) <= 2 * processes
    assert service.error_lines() == []
    service.terminate()
    assert service.wait_exit() == 0


def test_metrics_outlive_the_processes(world: World, start: Start) -> None:
    """Counts of dead processes stay in the sums; their files are gone, and a damaged file is harmless."""
    folder = world.folder / "metrics"
    folder.mkdir()
    variables = {"PROMETHEUS_MULTIPROC_DIR": folder, "GUNICORN_CMD_ARGS": "--max-requests 20"}
    service = start(WEB_CONCURRENCY=2, DRAIN_SECONDS=DRAIN, **variables).wait_ready()
    with Load(service.port, "/work", pooled=2, fresh=2, stays=True) as load:
        until(lambda: recycled(service) >= 6, 60, "recycled processes", lambda: service.log[-1500:])
    (folder / "counter_99999999.db").touch()
    counted = f"{answers('GET', '/work', 200)} {load.ledger.before[200]}.0"

    def files() -> list[object]:
        return list(folder.glob("counter_*.db"))

    until(lambda: len(service.workers()) == 2 and len(files()) <= 4, 20, "only the files of those that live", files)
    assert load.ledger.lost == {}
    # A process counts a request when its answer has been sent.
    until(lambda: counted in service.get("/metrics").body.decode(), 10, counted)


def test_the_control_loses_requests(world: World, start: Start) -> None:
    """Control: without a successor there is a gap, in which the next process is not warm."""
    world.model(0.5)
    service = start("no_successor", DRAIN_SECONDS=DRAIN, GUNICORN_CMD_ARGS="--max-requests 30").wait_ready()
    with Load(service.port, "/work", pooled=2, fresh=2, stays=True) as load:
        until(lambda: bool(load.ledger.lost), 30, "a lost request", lambda: load.ledger)


def test_a_successor_that_cannot_warm_is_waited_for(world: World, start: Start) -> None:
    """A process that has served its number serves on while its successor can't start, and leaves when it can."""
    service = start(DRAIN_SECONDS=DRAIN, GUNICORN_CMD_ARGS="--max-requests 20").wait_ready()
    [first] = service.workers()
    world.model("altered")
    with Load(service.port, "/work", stays=True) as load:
        service.wait_for_log("opening model failed, attempt 3: weights altered")
        assert first in service.workers()
        world.model(0)
        until(lambda: first not in service.workers(), 20, "an end of the first process", lambda: service.log[-1500:])
    assert load.ledger.lost == {}


def test_a_process_that_is_asked_to_leave_is_replaced_first(world: World, start: Start) -> None:
    """SIGTERM to the only process, not to the master, loses nothing."""
    service = start(DRAIN_SECONDS=DRAIN).wait_ready()
    [first] = service.workers()
    with Load(service.port, "/work", stays=True) as load, Watch(service.port, "/readyz") as watch:
        os.kill(first, signal.SIGTERM)
        until(lambda: first not in service.workers(), 20, "an end of the first process", lambda: service.log[-1500:])
        watch.go_on()
    assert load.ledger.lost == {}
    assert watch.answers == [200]


def test_a_successor_that_is_killed_has_another(world: World, start: Start) -> None:
    """A process that waits for a successor asks for the next one when the first dies."""
    service = start(DRAIN_SECONDS=0.1).wait_ready()
    [first] = service.workers()
    world.model(60)
    os.kill(first, signal.SIGTERM)
    until(lambda: service.log.count("opened database") == 2, 20, "a successor that loads", lambda: service.log[-1500:])
    [successor] = set(service.workers()) - {first}
    world.model(0)
    os.kill(successor, signal.SIGKILL)
    until(lambda: first not in service.workers(), 20, "an end of the first process", lambda: service.log[-1500:])
    service.wait_ready()


@pytest.mark.parametrize("query", ["status=0", "status=4", "status=3&at_once=1"])
def test_a_process_that_exits_takes_nothing_with_it(world: World, start: Start, query: str) -> None:
    """With any exit status, the master lives, and so do its temporary folder and that of the metrics."""
    service = start().wait_ready()
    before = service.workers()
    service.wait_for(f"/end?{query}", 200)
    until(lambda: service.workers() not in ([], before), 20, "a new process", lambda: service.log[-1500:])
    service.wait_ready()
    assert service.get("/metrics").status == 200
    assert list(world.folder.glob("of-the-master-*"))
    service.terminate()
    assert service.wait_exit() == 0
    assert list(world.folder.glob("of-the-master-*")) == []


def test_another_master_takes_over(world: World, start: Start) -> None:
    """After SIGHUP and SIGUSR2 a new master has metrics of its own, and no request is lost when the old one ends."""
    service = start(DRAIN_SECONDS=DRAIN).wait_ready()
    service.process.send_signal(signal.SIGHUP)
    until(lambda: service.log.count("-> ready") == 2, 20, "a new generation", lambda: service.log[-1500:])
    until(lambda: len(service.workers()) == 1, 20, "an end of the old one", lambda: service.log[-1500:])
    world.model(1)
    with Load(service.port, "/work", pooled=2, fresh=2, stays=True) as load:
        service.process.send_signal(signal.SIGUSR2)
        until(lambda: service.log.count("-> ready") == 3, 20, "a new master's process", lambda: service.log[-1500:])
        [upgraded] = [each for each in psutil.Process(service.process.pid).children() if each.children()]
        try:
            service.terminate()
            service.wait_exit()
            service.wait_ready()
            assert service.get("/metrics").status == 200
            load.wait_for(load.sent + 20)
        finally:
            ledger = load.ledger.before.copy()
            for each in [*upgraded.children(), upgraded]:
                each.kill()
    assert set(ledger) == {200}, ledger
