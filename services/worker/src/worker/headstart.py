"""A head start for the model: it is read before the web framework is imported, and warmed up beside that.

Both imports want the interpreter, and at once they only delay each other; the passes hardly want it. On 2 cores a
worker is ready after 1.04 instead of 1.16 s (medians of 15 starts each, in turns).
"""

from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

from worker.executor import DaemonExecutor
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from worker.loading import Loaded
    from worker.preparing import Prepared

ALONE_SECONDS = 1.0  # probes are answered after it: torch alone takes 4

_begun: "tuple[DaemonExecutor, Future[Prepared]] | None" = None


def create_app() -> "FastAPI":
    """What gunicorn calls in a new process: the head start, then the application."""
    settings = WorkerSettings()
    begin(settings)
    from worker import app  # noqa: PLC0415 - not before the model has been read

    return app.create_app(settings)


def begin(settings: WorkerSettings) -> None:
    """Start to load and warm up on the thread that will embed; wait for the load, but not for long.

    Nothing is begun where `WARMUP` wants it later.
    """
    global _begun  # noqa: PLW0603 - a process has one model
    if settings.warmup == "background":
        executor = DaemonExecutor("inference")
        loading = executor.submit(_load, settings)
        _begun = executor, executor.submit(_warm_up, loading, settings)
        wait([loading], ALONE_SECONDS)


def take() -> "tuple[DaemonExecutor, Future[Prepared] | None]":
    """The inference thread, and what was begun on it, if anything; the next taker gets a thread of its own."""
    global _begun
    begun, _begun = _begun, None
    return begun or (DaemonExecutor("inference"), None)


def _load(settings: WorkerSettings) -> "Loaded":
    from worker.loading import load  # noqa: PLC0415 - numpy is for the one thread to import

    return load(settings)


def _warm_up(loading: "Future[Loaded]", settings: WorkerSettings) -> "Prepared":
    from worker.preparing import warmed  # noqa: PLC0415 - as above

    return warmed(loading.result(), settings)
