"""A head start for the model: its load begins at the fork, while the event loop's thread imports the web framework.

On 2 cores the two take 0.4 and 0.35 s, and the model's libraries hold the interpreter lock for little of it.
"""

from concurrent.futures import Future
from typing import TYPE_CHECKING

from servicekit.executor import DaemonExecutor
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from worker.loading import Loaded

_begun: "tuple[DaemonExecutor, Future[Loaded]] | None" = None


def begin(settings: WorkerSettings) -> None:
    """Start to load on the thread that will embed, unless `WARMUP` wants it later."""
    global _begun  # noqa: PLW0603 - a process has one model
    if settings.warmup == "background":
        executor = DaemonExecutor("inference")
        _begun = executor, executor.submit(_load, settings)


def take() -> "tuple[DaemonExecutor, Future[Loaded] | None]":
    """The inference thread, and the load that was begun on it, if any; the next taker gets a thread of its own."""
    global _begun
    begun, _begun = _begun, None
    return begun or (DaemonExecutor("inference"), None)


def _load(settings: WorkerSettings) -> "Loaded":
    from worker.loading import load  # noqa: PLC0415 - numpy and the tokenizer, too, are imported beside the framework

    return load(settings)
