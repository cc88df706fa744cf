"""The model, loaded once: before readiness, or with WARMUP=lazy by whoever asks first."""

import asyncio

from fastapi import FastAPI

from worker import headstart
from worker.admission import Admission
from worker.batcher import Batcher
from worker.executor import DaemonExecutor
from worker.loading import Loader
from worker.model import Model
from worker.preparing import prepare
from worker.schemas import ModelInfo
from worker.settings import WorkerSettings
from worker.token_queue import TokenQueue


class ModelSource:
    """Owns the model's threads. The inference thread loads the model, warms it and serves it."""

    def __init__(self, app: FastAPI, load: Loader) -> None:
        self._app = app
        self._load_engine = load
        self._settings: WorkerSettings = app.state.settings
        self._inference, self._begun = headstart.take()
        self._tokenizing = DaemonExecutor("tokenizing")
        self._loading: asyncio.Task[Model] | None = None

    async def get(self) -> Model:
        """The model; the first call loads it, others wait for that one. Raises Fatal."""
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(self._load(), name="load model")
        # A caller that leaves does not take the load along.
        return await asyncio.shield(self._loading)

    async def check(self) -> None:
        """Raise when a loaded model can't serve. Never waits behind work."""
        if self._loading is None or not self._loading.done():
            return
        self._loading.result().batcher.check()

    def describe(self) -> str:
        """Which engine was chosen, once one is loaded."""
        if self._loading is None or not self._loading.done() or self._loading.exception():
            return "not loaded yet"
        return str(self._loading.result().info)

    def close(self) -> None:
        """Let the threads end; a load in progress is left behind."""
        if self._loading:
            self._loading.cancel()
        self._inference.shutdown(wait=False, cancel_futures=True)
        self._tokenizing.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> Model:
        settings, begun, self._begun = self._settings, self._begun, None
        prepared = await asyncio.wrap_future(begun or self._inference.submit(prepare, settings, self._load_engine))
        loaded, engine = prepared.loaded, prepared.loaded.engine
        queued, batch, longest = settings.max_queue_tokens, settings.max_batch_tokens, settings.request_timeout
        queue = TokenQueue(Admission(prepared.speed, queued, batch, longest))
        # When a pass has taken as long as a request may, nobody waits for it any more. One of 2,048 tokens takes 0.2 s.
        batcher = Batcher(engine, self._inference, queue, prepared.speed, batch, limit=longest)
        self._app.state.lifecycle.spawn("batcher", lambda _: batcher.run())
        info = ModelInfo(
            model=loaded.name,
            fingerprint=loaded.fingerprint,
            dimensions=engine.dimensions,
            max_tokens=engine.max_tokens,
            engine=engine.name,
            precision=engine.precision,
            threads=settings.threads,
        )
        return Model(info, engine, batcher, self._tokenizing)
