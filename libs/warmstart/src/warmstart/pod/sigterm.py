"""Being asked to stop before the server is."""

import asyncio
import signal
import threading
from collections.abc import Callable


class Sigterm:
    """Puts `first` before the server's own SIGTERM handler; `proceed` then hands the signal on.

    uvicorn installs its handler with `signal.signal` before the lifespan (`Server.capture_signals`), so wrapping
    it there works under uvicorn and gunicorn, uvloop included. Off the main thread, or without a server's
    handler (TestClient, pytest), nothing is installed.
    """

    def __init__(self, first: Callable[[], None]) -> None:
        main = threading.current_thread() is threading.main_thread()
        self._server = signal.getsignal(signal.SIGTERM) if main else None
        self.installed = callable(self._server)
        if not self.installed:
            return
        loop = asyncio.get_running_loop()
        signal.signal(signal.SIGTERM, lambda number, frame: loop.call_soon_threadsafe(first))
        if getattr(getattr(self._server, "__self__", None), "should_exit", False):
            loop.call_soon(first)  # it came between the server's handler and ours

    def proceed(self) -> None:
        """Let the server stop."""
        if callable(self._server):
            self._server(signal.SIGTERM, None)

    def restore(self) -> None:
        """Put the server's handler back."""
        if self.installed:
            signal.signal(signal.SIGTERM, self._server)
