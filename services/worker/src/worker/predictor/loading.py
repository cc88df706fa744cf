"""Makes a proven estimator from the settings, on the thread that will predict."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from contract.predict import FEATURES, PROBABILITIES
from contract.predictor import PredictorInfo
from warmstart import Fatal
from warmstart.http.json_values import more_values_than
from worker.predictor import metrics, threads
from worker.predictor.card import Card
from worker.predictor.estimator import Estimator, Pace, examined, measured
from worker.predictor.file import read
from worker.settings import WorkerSettings


@dataclass(frozen=True)
class Loaded:
    """An estimator, what is told of it, and the pace of its calls."""

    estimator: Estimator
    info: PredictorInfo
    pace: Pace


def load(file: Path, settings: WorkerSettings) -> Loaded:
    """Read, verify, load and prove the estimator; takes a second or more. Raises Fatal: no cause heals meanwhile."""
    with metrics.STARTUP.labels("load").time():
        fitted, sha256 = read(file, settings)
        card = Card.of(file, sha256)
        example, space = (card.example, card.space) if card else (None, None)
        threads.limit(fitted, settings.threads)
    with metrics.STARTUP.labels("proof").time():
        try:
            estimator = examined(fitted, example)
            _require_room(estimator.features, settings)
            pace = measured(estimator, settings.request_timeout)
        except Fatal as error:
            raise Fatal(f"PREDICTOR={file}: {error}") from error.__cause__
    info = PredictorInfo(
        name=file.stem.encode(errors="replace").decode(),  # a file's name need not be UTF-8
        sha256=sha256,
        features=estimator.features,
        classes=estimator.outputs.classes,
        space=space,
    )
    return Loaded(estimator, info, pace)


def _require_room(features: int, settings: WorkerSettings) -> None:
    """Raise Fatal when no body may hold a row: the estimator could never be called."""
    shortest = orjson.dumps({FEATURES: [[0] * features], PROBABILITIES: True})
    for name, limit, is_over in (
        ("MAX_BODY_VALUES", settings.max_body_values, more_values_than(settings.max_body_values, shortest)),
        ("MAX_BODY_BYTES", settings.max_body_bytes, len(shortest) > settings.max_body_bytes),
    ):
        if is_over:
            raise Fatal(f"it takes {features} features, which no body may hold: {name} is {limit}")
