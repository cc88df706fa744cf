"""Handles a stop signal before the server does."""

import asyncio
import signal
import threading
from collections.abc import Callable, Collection
from functools import partial
from types import FrameType
from typing import Any


def stops_the_server(number: int) -> bool:
    """Whether this signal stops a server: TestClient and pytest install no handler for it."""
    handler = signal.getsignal(number)
    return threading.current_thread() is threading.main_thread() and callable(handler) and not _interrupts(handler)


def _interrupts(handler: object) -> bool:
    """Whether this is Python's own handler of Ctrl-C, which raises KeyboardInterrupt or cancels `asyncio.run`."""
    function = handler.func if isinstance(handler, partial) else handler
    return function is signal.default_int_handler or isinstance(getattr(function, "__self__", None), asyncio.Runner)


class Asked:
    """Puts `first` before the server's own handlers of signals, until `restore`; if `hands_on`, they are called, too.

    uvicorn installs its handlers with `signal.signal` before the lifespan (`Server.capture_signals`), so wrapping
    them there works under uvicorn and gunicorn, uvloop included. Off the main thread nothing is installed.
    """

    def __init__(self, numbers: Collection[int], first: Callable[[], None], *, hands_on: bool = False) -> None:
        self._handlers = {each: _Handler(each, first, hands_on) for each in numbers if stops_the_server(each)}
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
            if getattr(handler.__self__, "should_exit", False):
                asyncio.get_running_loop().call_soon(first)  # the signal came before this handler was installed

    def restore(self) -> None:
        """Put the server's handlers back, unless somebody else has replaced them since."""
        for number, handler in self._handlers.items():
            server = handler.server
            if signal.getsignal(number) is handler:
                signal.signal(number, server)
        self._handlers = {}


class _Handler:
    """The handler of one signal; `server` is the server's handler, before which it stands."""

    def __init__(self, number: int, first: Callable[[], None], hands_on: bool) -> None:
        self.server: Any = signal.getsignal(number)
        self.__self__ = getattr(self.server, "__self__", None)  # whose handler it is, as of a bound method
        self._first, self._hands_on = first, hands_on
        self._loop = asyncio.get_running_loop()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._first)
        if self._hands_on:
            self.server(number, frame)
