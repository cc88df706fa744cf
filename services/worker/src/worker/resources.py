"""The worker's resource, the model, and how routes reach it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.datastructures import State
from starlette.requests import HTTPConnection

from contract.model import ModelInfo
from warmstart import Fatal, Resource, opened, opened_or_none
from warmstart.errors import DependencyUnavailable
from warmstart.http.owner import state_of
from worker import metrics
from worker.admission import Admission
from worker.batcher import Batcher
from worker.executor import DaemonExecutor
from worker.loading import Begun, Loaded, Loader, begin, load
from worker.model import Embeds, Model
from worker.once import Once
from worker.settings import WorkerSettings
from worker.token_queue import TokenQueue
from worker.warmup import Warm


class ModelSource:
    """The model, loaded once: before readiness, or with WARMUP=lazy by the first request.

    It owns the model's threads. The inference thread loads the model, warms it up and serves it.
    """

    def __init__(self, app: FastAPI, begin: Callable[[], Begun]) -> None:
        self._app = app
        self._begin = begin
        self._tokenizing = DaemonExecutor("tokenizing")
        self._begun: Begun | None = None
        self._model = Once(self._load, "load model")

    async def get(self) -> Model:
        """The model. Raises Fatal when it can't be loaded."""
        return await self._model.get()

    async def check(self) -> None:
        """Raise when a loaded model can't serve. Never waits for running work."""
        if model := self._model.value:
            model.batcher.check()

    def describe(self) -> str:
        """The chosen engine, once one is loaded."""
        return str(self._model.value.info) if self._model.value else "not loaded yet"

    def close(self) -> None:
        """Let the threads end; a load in progress is abandoned."""
        self._model.cancel()
        self._end_inference()
        self._tokenizing.shutdown(wait=False, cancel_futures=True)

    def _end_inference(self) -> None:
        if self._begun:
            self._begun.thread.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> Model:
        self._end_inference()  # the thread of a failed load
        begun = self._begun = self._begin()
        loaded, warm = await asyncio.wrap_future(begun.loaded), await asyncio.wrap_future(begun.warm)
        return self._served(loaded, warm, begun.thread)

    def _served(self, loaded: Loaded, warm: Warm, thread: DaemonExecutor) -> Model:
        settings: WorkerSettings = self._app.state.settings
        engine, batch, longest = loaded.engine, settings.max_batch_tokens, settings.request_timeout
        queue = TokenQueue(Admission(warm.speed, settings.max_queue_tokens, batch, longest))
        # When a pass has taken as long as a request may, its callers have left. A pass of 2,048 tokens takes 0.2 s.
        batcher = Batcher(engine, thread, queue, limit=longest, later=warm.later)
        self._app.state.lifecycle.spawn("batcher", lambda _: batcher.run())
        info = ModelInfo(
            model=loaded.name,
            fingerprint=loaded.fingerprint,
            space=loaded.space,
            dimensions=engine.dimensions,
            max_tokens=engine.max_tokens,
            special_tokens=len(engine.from_ids([])),
            vocabulary_size=engine.vocabulary_size,
            max_text_characters=settings.max_text_characters,
            engine=engine.name,
            precision=engine.precision,
            threads=settings.threads,
            prompts=loaded.prompts,
        )
        metrics.QUEUE_LIMIT.set(settings.max_queue_tokens)
        metrics.serve(info)
        return Model(info, engine, batcher, self._tokenizing)


def model_resource(load: Loader = load, begun: Begun | None = None) -> Resource[ModelSource]:
    """The model that `load` gives: loaded and warmed at start, or with WARMUP=lazy by the first request.

    `begun` is a load that is under way; should it fail, the next attempt calls `load`.

    In a unit test: `create_app(resources=[model_resource(lambda settings: Loaded(engine, "name", "0" * 64))])`.
    """

    @asynccontextmanager
    async def open_model(app: FastAPI) -> AsyncIterator[ModelSource]:
        settings: WorkerSettings = app.state.settings
        source = ModelSource(app, lambda: begun if begun and not begun.thread.closed else begin(settings, load))
        try:
            if settings.warmup != "lazy":
                await source.get()
            yield source
        finally:
            source.close()

    return Resource("model", open_model, check=ModelSource.check, gates=True, describe=ModelSource.describe)


MODEL = model_resource()
RESOURCES = (MODEL,)


async def loaded(
    connection: HTTPConnection, source: Annotated[ModelSource | None, Depends(opened_or_none(MODEL))]
) -> Embeds:
    """The model, or a typed 503. Without our lifespan, what a test's own has put on `app.state`."""
    state = state_of(connection)
    if not state.lifecycle and not isinstance(source, ModelSource):
        return _by_hand(state)
    try:
        return await (source or await opened(MODEL)(connection)).get()
    except Fatal as error:
        raise DependencyUnavailable("model", str(error)) from error


def _by_hand(state: State) -> Embeds:
    from worker.by_hand import NAMES, ByHand  # noqa: PLC0415 - no worker that serves needs it

    for found in (getattr(state, name, None) for name in NAMES):
        if hasattr(found, "encode"):
            return ByHand(found, state.settings)
    reason = f"not open: the application's lifespan has not run, and app.state.{NAMES[0]} has no encode"
    raise DependencyUnavailable("model", reason)


LoadedModel = Annotated[Embeds, Depends(loaded)]
