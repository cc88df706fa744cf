"""docs/lifecycle.md, rule 6: failure is loud, and the pod's only while it was never ready."""

import os
import signal
import time

import pytest

from stack import until
from tests.harness import Gunicorn, Watch
from tests.harness.sample import Start, World


def exit_after(service: Gunicorn, line: str) -> int:
    """The exit status of a master that logs the line and ends, while its service might be tried for ever."""
    service.wait_for_log(line, timeout=15)
    return service.wait_exit(15)


@pytest.mark.parametrize("processes", [1, 3])
def test_a_start_that_takes_too_long_halts_the_pod(world: World, start: Start, processes: int) -> None:
    """Past `STARTUP_TIMEOUT` one error line names resource and cause, and the master exits 3."""
    world.down("database")
    service = start(WEB_CONCURRENCY=processes, STARTUP_TIMEOUT=1)
    assert exit_after(service, "not ready within 1 s") == 3
    lines = service.error_lines("warmstart")
    assert len(lines) == 1, lines
    assert "not ready within 1 s; database retrying: database is down (attempt" in lines[0]


@pytest.mark.parametrize("processes", [1, 3])
def test_what_cannot_heal_fails_at_once(world: World, start: Start, processes: int) -> None:
    """A Fatal resource ends the pod with status 3 long before `STARTUP_TIMEOUT`, closing what was open."""
    world.model("altered")
    service = start(WEB_CONCURRENCY=processes, STARTUP_TIMEOUT=3600)
    assert exit_after(service, "weights altered") == 3
    assert len(service.error_lines("warmstart", "model failed: weights altered")) == 1
    assert world.trace().count("open database") == world.trace().count("close database") > 0


@pytest.mark.parametrize("processes", [1, 3])
def test_a_programming_error_shows_type_and_traceback_once(world: World, start: Start, processes: int) -> None:
    """The pod ends with status 3 at the first attempt; one error line, and one traceback."""
    world.model("nameless")
    service = start(WEB_CONCURRENCY=processes, STARTUP_TIMEOUT=60)
    assert service.wait_exit() == 3
    assert len(service.error_lines("start failed; model failed: KeyError: 'weights' (attempt 1)")) == 1
    assert service.log.count("Traceback") == 1


@pytest.mark.parametrize("processes", [1, 3])
def test_a_start_that_is_killed_again_and_again_halts_the_pod(world: World, start: Start, processes: int) -> None:
    """Processes that end by a signal while they load, as out of memory, end the pod with 3 past `STARTUP_TIMEOUT`."""
    world.model("deadly")
    service = start(WEB_CONCURRENCY=processes, STARTUP_TIMEOUT=2)
    assert service.wait_exit() == 3
    assert len(service.error_lines("warmstart", "not ready within 2 s; processes ended while")) == 1


@pytest.mark.parametrize("processes", [1, 3])
def test_a_lifespan_that_raises_halts_the_pod(world: World, start: Start, processes: int) -> None:
    """As for a declaration that makes no sense: status 3, and the log names the mistake."""
    service = start("misdeclared", WEB_CONCURRENCY=processes)
    assert service.wait_exit() == 3
    assert "Resource('extra'): it comes after unknown ones: ['nowhere']" in service.log


def test_a_second_lifecycle_halts_the_pod(world: World, start: Start) -> None:
    """A process has one entry on the board, which a second lifecycle would overwrite: status 3, and words."""
    service = start("two_lifecycles")
    assert service.wait_exit() == 3
    assert "this process has a Lifecycle already: declare the resources of both in one" in service.log


def test_an_unsupervised_warmup_fails_in_silence(world: World, start: Start) -> None:
    """Control of rule 6: a warm-up that nobody looks at leaves a pod that is alive, unready and says nothing."""
    world.model("altered")
    service = start("silent")
    service.wait_for("/livez", 200)
    with Watch(service.port, "/readyz") as watch:
        until(lambda: watch.count > 50, 10, "50 looks", lambda: watch.count)
    assert watch.answers == [503]
    assert service.process.poll() is None
    assert service.error_lines() == []


@pytest.mark.parametrize("app", ["missing_module:create_app()", "sample:missing()", "sample:not python"])
def test_an_application_that_cannot_be_loaded(world: World, start: Start, app: str) -> None:
    """An application that can't be imported or made ends the pod with status 3, once and in words."""
    service = start(APP=app, WEB_CONCURRENCY=3)
    assert service.wait_exit() == 3
    assert len(service.error_lines("warmstart", "could not be loaded")) == 1


def test_a_bad_setting_is_named(world: World, start: Start) -> None:
    """A setting out of range ends the master with status 3 and a line that names it."""
    service = start(DRAIN_SECONDS=-1)
    assert service.wait_exit() == 3
    assert "bad setting DRAIN_SECONDS: Input should be greater than or equal to 0" in service.log
    assert "Traceback" not in service.log


def test_after_first_readiness_no_process_halts_the_master(world: World, start: Start) -> None:
    """A replacement that can't warm retries for ever, also after errors that end a first start."""
    service = start(WEB_CONCURRENCY=2, STARTUP_TIMEOUT=2).wait_ready()
    world.model("altered")
    os.kill(service.workers()[0], signal.SIGKILL)
    service.wait_for_log("opening model failed, attempt 4: weights altered")
    replacement = service.workers()
    seen = time.monotonic()
    until(lambda: time.monotonic() - seen > 2, 10, "more than STARTUP_TIMEOUT has passed")
    assert service.workers() == replacement
    assert service.get("/readyz").status == 200
    assert service.get("/work").status == 200
    world.model(0)
    until(lambda: service.log.count("-> ready") == 3, 20, "a ready replacement", lambda: service.log[-1500:])
    assert service.process.poll() is None


@pytest.mark.parametrize("drain_readyz", ["503", "200"])
def test_a_dead_background_task_fails_its_process(world: World, start: Start, drain_readyz: str) -> None:
    """The process says why, is unready while it drains, exits with 1 and is replaced; the master lives on."""
    service = start(BACKGROUND=1, DRAIN_READYZ=drain_readyz, DRAIN_SECONDS=2).wait_ready()
    before = service.workers()
    world.up("poison")
    service.wait_for("/readyz", 503)
    served = service.get("/work")
    assert (served.status, served.headers["connection"]) == (200, "close")
    world.down("poison")
    until(lambda: service.workers() not in ([], before), 20, "a new process", lambda: service.log[-1500:])
    service.wait_ready()
    assert len(service.error_lines("background task 'watcher' died: poisoned")) == 1
    assert service.error_lines(f"Worker (pid:{before[0]}) exited with code 1")
    assert [line for line in world.trace() if "close" in line] == ["close model", "close cache", "close database"]


def test_an_unwatched_background_task_may_die(world: World, start: Start) -> None:
    """Control of rule 6: without supervision the process stays ready although its task is dead."""
    service = start("unsupervised", BACKGROUND=1).wait_ready()
    world.up("poison")
    with Watch(service.port, "/readyz") as watch:
        until(lambda: watch.count > 50, 10, "50 looks", lambda: watch.count)
    assert watch.answers == [200]


def test_a_blocked_event_loop_is_replaced(world: World, start: Start) -> None:
    """A process whose loop stands still fails its `/livez`; gunicorn's `timeout` replaces it."""
    service = start(TIMEOUT=3).wait_ready()
    before = service.workers()
    with pytest.raises(TimeoutError):
        service.get("/block?seconds=60", timeout=0.2)
    service.wait_for("/livez", "TimeoutError")
    until(lambda: service.workers() not in ([], before), 20, "a new process", lambda: service.log[-1500:])
    service.wait_ready()
    assert "WORKER TIMEOUT" in service.log
