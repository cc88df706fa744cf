"""An executor of one daemon thread: a model that is still loading never delays the exit of its process."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def before_call(thread: str) -> None:
    """Runs in the thread before each call; fault switches replace it."""


class DaemonExecutor(Executor):
    """Runs calls one after the other in one daemon thread (`ThreadPoolExecutor` joins its threads at exit)."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self.closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue one call. Raises RuntimeError after `shutdown`."""
        if self.closed:
            raise RuntimeError("the executor was shut down")
        future: Future[T] = Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the thread end after the calls queued so far; `cancel_futures` drops those not yet begun."""
        self.closed = True
        while cancel_futures:
            try:
                call = self._calls.get_nowait()
            except Empty:
                break
            if call:
                call[0].cancel()
        self._calls.put(None)
        if wait:
            self._thread.join()

    def _run(self) -> None:
        while call := self._calls.get():
            future, run = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                before_call(self._thread.name)
                future.set_result(run())
            except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
                future.set_exception(error)
