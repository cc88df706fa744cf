"""Step 0, a service as tutorials show it: `uvicorn step0_textbook:app`."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from stand_ins import SlowModel


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The code before `yield` runs at startup, the code after it at shutdown."""
    app.state.database = sqlite3.connect(os.environ.get("DATABASE", "predictions.db"), check_same_thread=False)
    app.state.database.execute("CREATE TABLE IF NOT EXISTS predictions (value REAL)")
    app.state.model = SlowModel()
    app.state.ready = True
    yield
    app.state.database.close()


app = FastAPI(lifespan=lifespan)


@app.get("/readyz")
async def readyz(request: Request) -> dict[str, bool]:
    """Nobody ever reads `false` here: the server listens only after the lifespan has reached its `yield`."""
    return {"ready": request.app.state.ready}


@app.post("/predict")
def predict(features: list[float], request: Request) -> dict[str, float]:
    """The model's prediction, and the number of predictions so far."""
    prediction = request.app.state.model.predict([features])[0]
    with request.app.state.database as database:
        database.execute("INSERT INTO predictions VALUES (?)", [prediction])
        count = database.execute("SELECT count(*) FROM predictions").fetchone()[0]
    return {"prediction": prediction, "count": count}
