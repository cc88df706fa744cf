"""Makes a proven estimator from the settings, on the thread that will predict."""

from dataclasses import dataclass
from pathlib import Path

from contract.predictor import PredictorInfo
from warmstart import Fatal
from worker.predictor import metrics, threads
from worker.predictor.card import Card
from worker.predictor.estimator import Estimator, examined, measured
from worker.predictor.file import read
from worker.settings import WorkerSettings
from worker.speed import Speed


@dataclass(frozen=True)
class Loaded:
    """An estimator, what is told of it, its speed in rows, and the seconds that a call of it is to take at most."""

    estimator: Estimator
    info: PredictorInfo
    speed: Speed
    portion: float


def load(file: Path, settings: WorkerSettings) -> Loaded:
    """Read, verify, load and prove the estimator; takes a second or more. Raises Fatal: no cause heals meanwhile."""
    with metrics.STARTUP.labels("load").time():
        fitted, sha256 = read(file, settings)
        card = Card.of(file, sha256)
        threads.limit(fitted, settings.threads)
    with metrics.STARTUP.labels("proof").time():
        try:
            estimator = examined(fitted, card.example)
            speed, portion = measured(estimator, settings.request_timeout)
        except Fatal as error:
            raise Fatal(f"PREDICTOR={file}: {error}") from error.__cause__
    info = PredictorInfo(
        name=file.stem.encode(errors="replace").decode(),  # a file's name need not be UTF-8
        sha256=sha256,
        features=estimator.features,
        classes=estimator.outputs.classes,
        space=card.space,
    )
    return Loaded(estimator, info, speed, portion)
