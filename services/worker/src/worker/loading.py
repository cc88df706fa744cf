"""Makes a warm engine from the settings, on the thread that will embed."""

import importlib.util
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from contract.prompts import NO_PROMPTS, Prompts
from warmstart import Fatal
from warmstart.lifecycle.health import reason
from worker import metrics
from worker.artifact.engine import choose, engine_of, lacks_bf16
from worker.artifact.manifest import Manifest
from worker.engines.base import Engine
from worker.executor import DaemonExecutor
from worker.model_files import KNOWN, fingerprint, locate, quantized, short, verified, wanted
from worker.settings import WorkerSettings
from worker.space import REFERENCE, space
from worker.speed import Speed
from worker.warmup import Warm, warm_up

log = logging.getLogger("worker.model")

UNMEASURED = 5_000  # tokens/s, until the first passes are timed


@dataclass(frozen=True)
class Loaded:
    """An engine, the name of its model for people, the identity of its vectors, and some that its export gave."""

    engine: Engine
    name: str
    fingerprint: str
    known: NDArray[np.float16] | None = None
    prompts: Prompts = NO_PROMPTS
    space: str = ""  # as `worker.space` names it; without one, the fingerprint is also the space's


Loader: TypeAlias = Callable[[WorkerSettings], Loaded]


@dataclass(frozen=True)
class Begun:
    """A load under way on `thread`: first the engine, then its passes at the shapes it serves."""

    thread: DaemonExecutor
    loaded: Future[Loaded]
    warm: Future[Warm]


def load(settings: WorkerSettings) -> Loaded:
    """Find, verify and load the model; takes seconds. Run it on the thread that will embed.

    Raises Fatal: no cause (a missing library, a missing or altered file) heals while a process waits.
    """
    began = perf_counter()
    log.info("model threads: %d", settings.threads)
    with metrics.MODEL_STARTUP.labels("load").time():
        loaded = _load(settings)
    engine = loaded.engine
    seconds = perf_counter() - began
    log.info("loaded %s (%s, %s) in %.2f s", loaded.name, engine.name, engine.precision, seconds)
    return loaded


def begin(settings: WorkerSettings, load: Loader = load) -> Begun:
    """Load and warm up on a new thread. Both futures raise what `load` raises."""
    thread = DaemonExecutor("inference")
    loaded = thread.submit(load, settings)
    return Begun(thread, loaded, thread.submit(lambda: _warm(loaded.result(), settings)))


def _warm(loaded: Loaded, settings: WorkerSettings) -> Warm:
    # A lazy load has a request waiting, which makes the first pass.
    if settings.warmup_passes and settings.warmup != "lazy":
        with metrics.MODEL_STARTUP.labels("warm-up").time():
            return warm_up(loaded.engine, settings.max_batch_tokens, loaded.known)
    return Warm(Speed(UNMEASURED, 1))


def _load(settings: WorkerSettings) -> Loaded:
    if settings.engine == "fake":
        return _load_fake(settings)
    if settings.engine != "sentence-transformers" and (loaded := _load_artifact(settings)):
        return loaded
    if settings.precision not in ("auto", "fp32"):
        raise Fatal(f"ENGINE={settings.engine} PRECISION={settings.precision}: sentence-transformers has fp32 only")
    return _load_sentence_transformers(settings)


def _load_fake(settings: WorkerSettings) -> Loaded:
    from worker.engines.fake import FakeEngine  # noqa: PLC0415 - only the engine that serves is imported

    other = "" if short(settings.embedding_model) in KNOWN else settings.embedding_model
    engine = FakeEngine(other)
    return Loaded(engine, settings.embedding_model, fingerprint({"model": other} if other else {}, engine))


def _load_artifact(settings: WorkerSettings) -> Loaded | None:
    """The best engine of the artifact of just these weights; None when ENGINE=auto finds no such artifact."""
    model = wanted(settings.embedding_model)
    if settings.precision == "int8" and (settings.artifacts / quantized(model).folder).is_dir():
        model = quantized(model)
    folder = settings.artifacts / model.folder
    manifest = Manifest.read(folder)
    if manifest is None or not manifest.names(model):
        reason = (
            f"{folder} is no artifact of {model.name}" if manifest is None else f"{folder} was made of other weights"
        )
        if settings.engine != "auto" or settings.precision not in ("auto", "fp32"):
            raise Fatal(f"ENGINE={settings.engine}: {reason}; make one with python -m worker.export")
        log.info("%s: running the model itself", reason)
        return None
    variant = choose(manifest, settings)
    if lacks_bf16(manifest, variant, settings):
        log.warning("%s was made on a CPU without bf16, which this one has: made here it would be faster", folder)
    try:
        engine = engine_of(folder, manifest, variant, settings.threads)
    except Fatal:
        raise
    except Exception as error:
        raise Fatal(f"artifact {folder}: {variant.engine} can't run it: {error}") from error
    known = np.load(folder / variant.known) if variant.known else None
    prompts = manifest.prompts or NO_PROMPTS
    named = space(manifest.source, engine, prompts, variant.cosine)
    return Loaded(engine, manifest.model, fingerprint(manifest.source, engine, prompts), known, prompts, named)


def _load_sentence_transformers(settings: WorkerSettings) -> Loaded:
    if importlib.util.find_spec("sentence_transformers") is None:
        if short(settings.embedding_model) not in KNOWN:
            locate(settings.embedding_model)  # says so if nothing has that name
        missing = "sentence-transformers, which is not installed (make install-dev)"
        raise Fatal(f"ENGINE={settings.engine} needs {missing}, or an artifact")
    from worker.engines.sentence_transformers import SentenceTransformersEngine  # noqa: PLC0415 - as above

    folder = locate(settings.embedding_model)
    hashes = verified(folder)
    try:
        engine = SentenceTransformersEngine(folder, settings.threads)
    except Exception as error:
        raise Fatal(f"model {folder.name}: {folder.path} can't be loaded: {reason(error)}") from error
    prompts = engine.prompts
    named = space(hashes, engine, prompts, REFERENCE)
    return Loaded(engine, folder.name, fingerprint(hashes, engine, prompts), prompts=prompts, space=named)
