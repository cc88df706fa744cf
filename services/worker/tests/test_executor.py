"""The executor: one daemon thread, in order; fault switches hold its calls, or fail them."""

import logging
import threading
from pathlib import Path

import pytest

from warmstart.faults import Switches
from worker import executor
from worker.executor import DaemonExecutor


@pytest.fixture
def switches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that every call of an executor obeys."""
    monkeypatch.setattr(executor, "before_call", Switches(tmp_path / "faults").hold_call)
    return tmp_path / "faults"


def test_the_executor_runs_calls_in_order_in_one_daemon_thread() -> None:
    """Calls run one after the other in a daemon thread; results and errors come back through futures."""
    executor = DaemonExecutor("test")
    done: list[int] = []
    futures = [executor.submit(done.append, n) for n in range(100)]
    thread = executor.submit(threading.current_thread).result(5)
    failing = executor.submit(int, "x")
    assert isinstance(failing.exception(5), ValueError)
    assert all(future.done() for future in futures)
    assert done == list(range(100))
    assert thread.daemon
    executor.shutdown()
    assert not thread.is_alive()


def test_a_shut_down_executor_drops_what_has_not_begun() -> None:
    """`cancel_futures` cancels waiting calls; the running one ends."""
    executor = DaemonExecutor("test")
    begun, go = threading.Event(), threading.Event()

    def run() -> bool:
        begun.set()
        return go.wait(5)

    running = executor.submit(run)
    waiting = executor.submit(int)
    begun.wait(5)
    executor.shutdown(wait=False, cancel_futures=True)
    go.set()
    assert running.result(5) is True
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(int)


def test_a_stuck_call_ends_with_its_switch(switches: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A call of the thread that is named waits, others don't; when the switch is off it is made."""
    switches.write_text('{"slow_calls": {"inference": 3600}}')
    with caplog.at_level(logging.ERROR):
        stuck = DaemonExecutor("inference").submit(lambda: "made")
        assert DaemonExecutor("tokenizing").submit(lambda: "made").result(10) == "made"
        assert not stuck.done()
        switches.unlink()
        assert stuck.result(10) == "made"
    assert caplog.text == ""


def test_calls_of_a_thread_fail_while_the_switch_says_so(switches: Path) -> None:
    """Those of the thread that is named, and no others; nothing is made of them."""
    switches.write_text('{"failing_calls": ["inference"]}')
    made: list[str] = []
    thread = DaemonExecutor("inference")
    with pytest.raises(RuntimeError, match="a fault switch"):
        thread.submit(made.append, "failing").result(10)
    DaemonExecutor("tokenizing").submit(made.append, "other").result(10)
    switches.unlink()
    thread.submit(made.append, "healed").result(10)
    assert made == ["other", "healed"]
