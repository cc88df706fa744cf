"""The metrics of the estimator. They are there only where PREDICTOR is set."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from contract.lane import Lane
from contract.predictor import PredictorInfo
from worker.metrics import WAITS, WHY_DROPPED, QueueMetrics

_QUEUE_ROWS = Gauge(
    "worker_predictor_queue_rows", "Rows that wait for a prediction", ["lane"], multiprocess_mode="livesum"
)
QUEUE_LIMIT = Gauge(
    "worker_predictor_queue_limit_rows", "Most rows that may wait for a prediction", multiprocess_mode="livesum"
)
_QUEUE_SECONDS = Histogram(
    "worker_predictor_queue_seconds",
    "Seconds that a request waited until its first row was taken",
    ["lane"],
    buckets=WAITS,
)
_REFUSED = Counter("worker_predictor_refused_total", "Requests refused because they could not end in time", ["lane"])
_DROPPED = Counter("worker_predictor_dropped_total", "Rows that left the queue before their prediction", ["reason"])
FAILED = Counter("worker_predictor_failed_total", "Rows that the estimator could not predict")
ROWS = Counter("worker_predictor_rows_total", "Rows predicted")
BATCH_ROWS = Histogram(
    "worker_predictor_batch_rows", "Rows in a call of the estimator", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
SECONDS = Histogram(
    "worker_predictor_seconds",
    "Seconds of a call of the estimator",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
STARTUP = Gauge(
    "worker_predictor_startup_seconds",
    "Seconds that the estimator took to load, and to be proven",
    ["phase"],
    multiprocess_mode="livemax",
)
_INFO = Gauge(
    "worker_predictor_info",
    "1; the estimator that is served",
    ["predictor", "sha256", "features"],
    multiprocess_mode="livemax",
)

QUEUE = QueueMetrics(
    sizes={lane: _QUEUE_ROWS.labels(lane) for lane in Lane},
    inputs={lane: _QUEUE_ROWS.labels(lane) for lane in Lane},
    seconds={lane: _QUEUE_SECONDS.labels(lane) for lane in Lane},
    refused={lane: _REFUSED.labels(lane) for lane in Lane},
    dropped={why: _DROPPED.labels(why) for why in WHY_DROPPED},
    saved={},
)


def account(sizes: Sequence[int], _padding: int, seconds: float) -> None:
    """Count one call of the estimator."""
    ROWS.inc(len(sizes))
    BATCH_ROWS.observe(len(sizes))
    SECONDS.observe(seconds)


def serve(info: PredictorInfo) -> None:
    """Name the estimator that is served from now on."""
    _INFO.labels(info.name, info.sha256, str(info.features)).set(1)
