"""The work of an engine: vectors of texts."""

from collections.abc import Sequence

import numpy as np

from warmstart.errors import ServiceError
from worker import metrics
from worker.engines.base import Engine, TokenIds
from worker.health import embed
from worker.work import Work

KNOWN_TEXT = "Every engine can embed this."


def known(engine: Engine) -> list[TokenIds]:
    """A text that every engine can embed."""
    return engine.encode([KNOWN_TEXT])


def failed(field: str, _: Exception) -> ServiceError:
    """The error of the caller whose text failed."""
    return ServiceError(f"{field} could not be embedded", param=field, code="inference_failed")


def account(sizes: Sequence[int], padding: int, seconds: float) -> None:
    """Count one forward pass."""
    tokens = sum(sizes)
    metrics.TOKENS.inc(tokens)
    metrics.PADDING.inc(padding)
    metrics.BATCH_TEXTS.observe(len(sizes))
    metrics.BATCH_TOKENS.observe(tokens)
    metrics.INFERENCE_SECONDS.observe(seconds)


EMBEDDING = Work(
    model="the model",
    one="a forward pass",
    several="forward passes",
    inputs="texts",
    sizes="tokens",
    dtype=np.float32,
    compute=embed,
    known=known,
    failed=failed,
    failures=metrics.FAILED,
    account=account,
)
