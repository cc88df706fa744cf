"""The worker's second resource, the estimator, and how routes reach it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any, ClassVar

import numpy as np
from fastapi import Depends, FastAPI
from numpy.typing import NDArray

from contract.lane import Lane
from contract.predict import FEATURES
from contract.predictor import PredictorInfo
from warmstart import Fatal, Resource, opened
from warmstart.errors import DependencyUnavailable
from warmstart.http.timing import Timings
from worker.admission import Admission, Demand
from worker.batcher import Batcher
from worker.executor import DaemonExecutor
from worker.once import Once
from worker.predictor import metrics
from worker.predictor.estimator import PREDICTION, Estimator
from worker.predictor.loading import Loaded, load
from worker.resources import MODEL, ModelSource
from worker.settings import WorkerSettings
from worker.token_queue import TokenQueue


class Rows(Demand):
    """A request for predictions: each row counts as one."""

    unit: ClassVar[str] = "rows"

    def size(self, tokens: int) -> str:
        """So many rows in words."""
        return f"{tokens} row" if tokens == 1 else f"{tokens} rows"

    def fitting(self, tokens: float) -> str:
        """So many rows in words."""
        return self.size(int(tokens))


@dataclass(frozen=True)
class Predictor:
    """The served estimator: admission and batching behind one call."""

    info: PredictorInfo
    estimator: Estimator
    batcher: Batcher

    async def predict(
        self, features: NDArray[np.float64], deadline: float, lane: Lane
    ) -> tuple[NDArray[np.float64], Timings]:
        """The rows of `Estimator.predict` for (n, features), by `deadline` in the event loop's time; and the timings.

        Raises Overloaded or PayloadTooLarge before any work is done, and what `Batcher.result` raises.
        """
        began, count = perf_counter(), len(features)
        left = deadline - asyncio.get_running_loop().time()
        with self.batcher.queue.reserve(Rows(count, count, lane=lane), left):
            job = self.batcher.submit([features[row : row + 1] for row in range(count)], FEATURES, deadline, lane)
        rows = await self.batcher.result(job)
        waited = perf_counter() - began - job.inference_seconds
        return rows, Timings(queue=max(0.0, waited), predict=job.inference_seconds)


class PredictorSource:
    """The estimator, loaded once: before readiness, or with WARMUP=lazy by the first request. It owns the thread."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._thread: DaemonExecutor | None = None
        self._predictor = Once(self._load, "load predictor")

    async def get(self) -> Predictor:
        """The estimator. Raises Fatal when it can't be loaded."""
        return await self._predictor.get()

    async def served(self) -> Predictor:
        """The estimator, for a request. Raises DependencyUnavailable when it can't be loaded."""
        try:
            return await self.get()
        except Fatal as error:
            raise DependencyUnavailable("predictor", str(error)) from error

    async def check(self) -> None:
        """Raise when a loaded estimator can't predict. Never waits for running work."""
        if predictor := self._predictor.value:
            predictor.batcher.check()

    def describe(self) -> str:
        """The estimator, once it is loaded."""
        predictor = self._predictor.value
        return f"{predictor.info.name}: {predictor.estimator}" if predictor else "not loaded yet"

    def close(self) -> None:
        """Let the thread end; a load in progress is abandoned."""
        self._predictor.cancel()
        self._end_thread()

    def _end_thread(self) -> None:
        if self._thread:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> Predictor:
        settings: WorkerSettings = self._app.state.settings
        if settings.predictor is None:
            raise Fatal("PREDICTOR is not set")
        self._end_thread()  # of a failed load
        thread = self._thread = DaemonExecutor("predictor")
        loaded = await asyncio.wrap_future(thread.submit(load, settings.predictor, settings))
        if loaded.info.space:
            await self._check_space(loaded)
        return self._served(loaded, thread)

    async def _check_space(self, loaded: Loaded) -> None:
        """Raise Fatal when the estimator was fitted on embeddings which the worker's model doesn't make."""
        source: ModelSource = self._app.state.model
        model, head = (await source.get()).info, loaded.info
        if head.space != model.space:
            raise Fatal(
                f"PREDICTOR: {head.name} was fitted on embeddings of the space {head.space}, and this worker's model, "
                f"{model.model}, makes those of {model.space}"
            )
        if head.features != model.dimensions:
            raise Fatal(f"PREDICTOR: {head.name} takes {head.features} features, and a vector has {model.dimensions}")

    def _served(self, loaded: Loaded, thread: DaemonExecutor) -> Predictor:
        settings: WorkerSettings = self._app.state.settings
        longest, pace = settings.request_timeout, loaded.pace
        admission = Admission(pace.speed, settings.max_queue_rows, pace.rows, longest, pace.portion)
        queue = TokenQueue(admission, metrics.QUEUE)
        batcher = Batcher(loaded.estimator, thread, queue, limit=longest, work=PREDICTION)
        self._app.state.lifecycle.spawn("batcher of predictions", lambda _: batcher.run())
        metrics.QUEUE_LIMIT.set(settings.max_queue_rows)
        metrics.serve(loaded.info)
        return Predictor(loaded.info, loaded.estimator, batcher)


@asynccontextmanager
async def open_predictor(app: Any) -> AsyncIterator[PredictorSource]:
    """Open the resource `PREDICTOR`."""
    source = PredictorSource(app)
    try:
        if app.state.settings.warmup != "lazy":
            await source.get()
        yield source
    finally:
        source.close()


# After the model, with whose space it is compared.
PREDICTOR = Resource(
    "predictor",
    open_predictor,
    check=PredictorSource.check,
    gates=True,
    describe=PredictorSource.describe,
    after=(MODEL.name,),
)


async def loaded(source: Annotated[PredictorSource, Depends(opened(PREDICTOR))]) -> Predictor:
    """The estimator, or a typed 503."""
    return await source.served()


LoadedPredictor = Annotated[Predictor, Depends(loaded)]
