"""From the settings to a warm engine, on the thread that will embed."""

from dataclasses import dataclass

from worker.loading import Loaded, Loader
from worker.settings import WorkerSettings
from worker.speed import Speed
from worker.warmup import warm_up

UNMEASURED = 5_000  # tokens/s, until passes were timed


@dataclass(frozen=True)
class Prepared:
    """An engine that has run at the shapes it serves, unless that is switched off, and its speed."""

    loaded: Loaded
    speed: Speed


def prepare(settings: WorkerSettings, load: Loader) -> Prepared:
    """Load and warm up. Raises what `load` raises."""
    return warmed(load(settings), settings)


def warmed(loaded: Loaded, settings: WorkerSettings) -> Prepared:
    """Run the passes, unless they are switched off."""
    # A lazy load has a request waiting: it is the first pass itself.
    if settings.warmup_passes and settings.warmup != "lazy":
        return Prepared(loaded, warm_up(loaded.engine, settings.max_batch_tokens))
    return Prepared(loaded, Speed(UNMEASURED, 1))
