"""A model that a test's own lifespan puts on `app.state.embedding_model`, as tutorials do: anything with `encode`."""

import asyncio
from typing import Any

import numpy as np

from contract.lane import Lane
from contract.model import ModelInfo
from warmstart.errors import ServiceError
from warmstart.http.timing import Timings
from worker.engines.base import Vectors
from worker.model import Embedded
from worker.schemas import EmbeddingsRequest
from worker.settings import WorkerSettings

NAMES = ("embedding_model", "model")  # on `app.state`: the tutorials', and the resource's own


class ByHand:
    """Answers as `Model` does, without queue, batches or tokenizer: it counts no tokens and knows no token ids."""

    def __init__(self, model: Any, settings: WorkerSettings) -> None:
        self._model = model
        named = getattr(getattr(model, "model_card_data", None), "model_id", None)
        self.info = ModelInfo(
            model=named if isinstance(named, str) else "unknown",
            fingerprint="by hand",
            dimensions=0,  # only its answers tell
            max_tokens=0,
            special_tokens=0,
            vocabulary_size=0,
            max_text_characters=settings.max_text_characters,
            engine=type(model).__name__,
            precision="fp32",
            threads=settings.threads,
        )

    async def embed(
        self, request: EmbeddingsRequest, deadline: float, whole: int = 0, asked: Lane | None = None
    ) -> Embedded:
        """Embed in a thread, whatever the deadline and the lane. Raises ServiceError unless each text has its row."""
        texts = request.texts or []
        rows = _rows(await asyncio.to_thread(self._model.encode, texts))
        if rows is None or len(rows) != len(texts):
            raise ServiceError(f"encode gave no {len(texts)} rows of numbers", code="inference_failed")
        return Embedded(rows, [0] * len(texts), Timings())


def _rows(vectors: Any) -> Vectors | None:
    try:
        rows = np.asarray(vectors, np.float32)
    except (TypeError, ValueError):
        return None
    return rows if rows.ndim == 2 else None
