"""The application for gunicorn: it loads the model before the web framework, and warms it during that import.

Both imports need the interpreter, and would only delay each other; forward passes hardly need it. On 2 cores a worker
is ready after 1.04 instead of 1.16 s (medians of 15 starts each, in turns).
"""

from concurrent.futures import wait
from typing import TYPE_CHECKING

from worker.loading import begin
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

ALONE_SECONDS = 1.0  # then the web framework is imported, so that probes are answered: torch takes 4 s


def create_app() -> "FastAPI":
    """The application of a new process, with a load under way, unless `WARMUP` wants it later."""
    settings = WorkerSettings()
    begun = begin(settings) if settings.warmup == "background" else None
    if begun:
        wait([begun.loaded], ALONE_SECONDS)
    from worker import app, resources  # noqa: PLC0415 - not before the model has been loaded

    return app.create_app(settings, [resources.model_resource(begun=begun)])
