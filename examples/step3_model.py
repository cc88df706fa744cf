"""Step 3, a model that is judged by its answers: `gunicorn -c gunicorn.conf.py step3_model:app`."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from stand_ins import SlowModel

from warmstart import Fatal, Lifecycle, Resource, ServiceSettings, install, opened

RECENT = 5.0  # seconds


class Predictor:
    """The model on a thread of its own: the event loop stays free, and no other work fills the thread's queue."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._under_way, self._succeeded = 0, 0.0

    async def load(self) -> None:
        """Raises Fatal when waiting can't help: if the file is missing, another attempt would fail too."""
        try:
            self._model = await asyncio.get_running_loop().run_in_executor(self._thread, SlowModel)
        except FileNotFoundError as error:
            raise Fatal(f"no model: {error}") from error

    async def predict(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """One number a row."""
        self._under_way += 1
        try:
            numbers = await asyncio.get_running_loop().run_in_executor(self._thread, self._model.predict, rows)
        finally:
            self._under_way -= 1
        self._succeeded = time.monotonic()
        return numbers

    @property
    def is_at_work(self) -> bool:
        """Whether it predicts now, and has just succeeded."""
        return self._under_way > 0 and time.monotonic() - self._succeeded < RECENT

    def close(self) -> None:
        """Don't wait for running predictions: their callers have left."""
        self._thread.shutdown(wait=False, cancel_futures=True)


async def answers_right(predictor: Predictor) -> None:
    """Predict a row whose answer is known, so that a wrong answer is found here and not by a user.

    Under load the row would wait behind those of users for longer than HEALTH_TIMEOUT: then their success is the proof.
    """
    if predictor.is_at_work:
        return
    if await predictor.predict([[0.0, 1.0, 2.0]]) != [3.0]:
        raise RuntimeError("1 + 2 is not 3")


@asynccontextmanager
async def open_model(app: FastAPI) -> AsyncIterator[Predictor]:
    """Load the model and predict a row, so that the first request finds it warm."""
    predictor = Predictor()
    try:
        await predictor.load()
        await answers_right(predictor)
        yield predictor
    finally:
        predictor.close()


# It gates, since only this process can lose it: unhealthy, it makes the process unready; after HEAL_TIMEOUT the process
# is replaced.
MODEL = Resource("model", open_model, check=answers_right, gates=True)
Model = Annotated[Predictor, Depends(opened(MODEL))]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """As before."""
    async with Lifecycle(app, (MODEL,), ServiceSettings()):
        yield


app = FastAPI(lifespan=lifespan)
install(app, ServiceSettings())


@app.post("/predict")
async def predict(features: list[float], model: Model) -> dict[str, float]:
    """The model's prediction."""
    [prediction] = await model.predict([features])
    return {"prediction": prediction}
