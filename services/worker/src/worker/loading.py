"""From the settings to a loaded engine."""

import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

from servicekit import Fatal
from worker.engines.base import Engine
from worker.engines.fake import FakeEngine
from worker.engines.sentence_transformers import SentenceTransformersEngine
from worker.models import fingerprint, locate, verified
from worker.settings import WorkerSettings

Loader: TypeAlias = "Callable[[WorkerSettings], Loaded]"

log = logging.getLogger("worker.model")


@dataclass(frozen=True)
class Loaded:
    """An engine, the name of its model for people, and the identity of its vectors."""

    engine: Engine
    name: str
    fingerprint: str


def load(settings: WorkerSettings) -> Loaded:
    """Find, verify and load the model; takes seconds. Run it on the thread that will embed.

    Raises Fatal: no cause (a missing library, a missing or altered file) heals while a process waits.
    """
    began = perf_counter()
    log.info("model threads: %d", settings.threads)
    loaded = _load_fake(settings) if settings.engine == "fake" else _load_sentence_transformers(settings)
    engine = loaded.engine
    seconds = perf_counter() - began
    log.info("loaded %s (%s, %s) in %.2f s", loaded.name, engine.name, engine.precision, seconds)
    return loaded


def _load_fake(settings: WorkerSettings) -> Loaded:
    engine = FakeEngine()
    return Loaded(engine, settings.embedding_model, fingerprint({}, engine))


def _load_sentence_transformers(settings: WorkerSettings) -> Loaded:
    if importlib.util.find_spec("sentence_transformers") is None:
        raise Fatal(f"ENGINE={settings.engine} needs sentence-transformers, which is not installed")
    folder = locate(settings.embedding_model)
    hashes = verified(folder)
    try:
        engine = SentenceTransformersEngine(folder, settings.threads)
    except Exception as error:
        raise Fatal(f"model {folder.name}: {folder.path} can't be loaded: {error}") from error
    return Loaded(engine, folder.name, fingerprint(hashes, engine))
