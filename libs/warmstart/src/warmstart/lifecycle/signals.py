"""Being asked to stop before the server is."""

import asyncio
import signal
import threading
from collections.abc import Callable, Collection
from typing import Any


def stops_the_server(number: int) -> bool:
    """Whether there is a server that this signal stops: TestClient and pytest install no handler for it."""
    return threading.current_thread() is threading.main_thread() and callable(signal.getsignal(number))


class Asked:
    """Puts `first` before the server's own handlers of signals, until `restore`.

    uvicorn installs its handlers with `signal.signal` before the lifespan (`Server.capture_signals`), so wrapping
    them there works under uvicorn and gunicorn, uvloop included. Off the main thread nothing is installed.
    """

    def __init__(self, numbers: Collection[int], first: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._servers: dict[int, Any] = {each: signal.getsignal(each) for each in numbers if stops_the_server(each)}
        for number, handler in self._servers.items():
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(first))
            if getattr(getattr(handler, "__self__", None), "should_exit", False):
                loop.call_soon(first)  # it came between the server's handler and ours

    def restore(self) -> None:
        """Put the server's handlers back."""
        for number, handler in self._servers.items():
            signal.signal(number, handler)
        self._servers = {}
