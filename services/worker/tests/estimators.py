"""Estimators in files, as a worker with PREDICTOR reads them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import joblib
import numpy as np
import skops.io
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from services.worker.tests.stand_ins import LIMIT, serving
from worker.engines.fake import FakeEngine

POISON, STRANGE, ENDLESS = 1013.0, 1014.0, 1015.0


def pickled(folder: Path, estimator: Any, name: str = "estimator.joblib") -> dict[str, Any]:
    """Settings of a worker with this estimator, in a pickle."""
    file = folder / name
    joblib.dump(estimator, file)
    return {"predictor": file, "predictor_sha256": sha256(file.read_bytes()).hexdigest()}


def as_skops(folder: Path, estimator: Any, name: str = "estimator.skops") -> dict[str, Any]:
    """The same in skops' format."""
    skops.io.dump(estimator, folder / name)
    return {"predictor": folder / name}


def classifier(labels: tuple[Any, ...] = ("low", "high")) -> LogisticRegression:
    """Two features, of which the first tells the classes apart: below 0 and above."""
    table = [[side * (5.0 + n), float(n)] for side in (-1, 1) for n in range(10)]
    return LogisticRegression().fit(table, [labels[0]] * 10 + [labels[1]] * 10)


@contextmanager
def predicting(predictor: dict[str, Any], **settings: Any) -> Iterator[TestClient]:
    """A worker with its real lifespan, and an estimator."""
    with serving(FakeEngine(), **predictor, **settings) as client:
        yield client


class StandIn:
    """The sum of two features; remembers the sizes of its calls. A row with `POISON` is refused."""

    n_features_in_ = 2
    calls: ClassVar[list[int]] = []
    gate: ClassVar[threading.Event] = threading.Event()
    broken: ClassVar[BaseException | None] = None

    def __init__(self, seconds: float = 0.0, fixed: float = 0.0) -> None:
        self.seconds, self.fixed = seconds, fixed  # that a row takes, and a call

    def predict(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums."""
        self.calls.append(len(table))
        assert self.gate.wait(LIMIT), "the test never opened the gate"
        time.sleep(self.fixed + self.seconds * len(table))
        if self.broken:
            raise self.broken
        if (table == POISON).any():
            raise ValueError(f"unknown category {POISON}")
        if (table == STRANGE).any():
            raise RuntimeError(f"strange {STRANGE}")
        sums: NDArray[np.float64] = table.sum(axis=1)
        return np.where((table == ENDLESS).any(axis=1), np.nan, sums)
