"""Learning that the server is told to stop, before it waits for what lasts.

uvicorn waits for open streams and background tasks; alone it does so without a limit, so that Ctrl-C and `--reload`
hang for as long as somebody listens.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Told:
    """Puts `first` before the server's own handler of one signal, and hands the signal on at once.

    Installed when the lifespan begins, after the server's handlers and before the lifecycle's, which hands the signal
    on when the process has drained. Off the main thread, as under TestClient, nothing is installed.
    """

    def __init__(self, server: Any, first: Callable[[], None]) -> None:
        self._server = server
        self._first = first
        self._loop = asyncio.get_running_loop()
        self.__self__ = getattr(server, "__self__", None)  # whose handler it is, as of a bound method

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        self._loop.call_soon_threadsafe(self._first)
        self._server(number, frame)


@contextmanager
def when_told(first: Callable[[], None]) -> Iterator[None]:
    """Within it, `first` is called in the event loop when the server is told to stop."""
    main = threading.current_thread() is threading.main_thread()
    servers = {number: signal.getsignal(number) for number in SIGNALS if main}
    told = {number: Told(server, first) for number, server in servers.items() if callable(server)}
    for number, handler in told.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in told.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, servers[number])
