"""The worker's own metrics. Where children are bound here, each is there, as 0, before anything has happened."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from contract.lane import Lane
from contract.model import ModelInfo
from contract.saved import Saved, counters
from warmstart.http.stage_metrics import Stages

WAITS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # buckets of seconds in a queue
WHY_DROPPED = ("expired", "abandoned", "failed", "stuck", "stopped")


@dataclass(frozen=True)
class QueueMetrics:
    """The metrics of one queue, by lane or by the reason for which inputs left it. `saved` are counted once more."""

    sizes: Mapping[Lane, Gauge]
    inputs: Mapping[Lane, Gauge]
    seconds: Mapping[Lane, Histogram]
    refused: Mapping[Lane, Counter]
    dropped: Mapping[str, Counter]
    saved: Mapping[str, Counter]

    def drop(self, why: str, inputs: int) -> None:
        """Count inputs that leave the queue."""
        self.dropped[why].inc(inputs)
        if why in self.saved:
            self.saved[why].inc(inputs)


QUEUE_TOKENS = Gauge("worker_queue_tokens", "Tokens that wait for inference", ["lane"], multiprocess_mode="livesum")
QUEUE_TEXTS = Gauge("worker_queue_texts", "Texts that wait for inference", ["lane"], multiprocess_mode="livesum")
QUEUE_LIMIT = Gauge("worker_queue_limit_tokens", "Most tokens that may wait for inference", multiprocess_mode="livesum")
QUEUE_SECONDS = Histogram(
    "worker_queue_seconds",
    "Seconds that a request waited until its first text was taken",
    ["lane"],
    buckets=WAITS,
)
_DROPPED = Counter("worker_dropped_total", "Texts that left the queue before inference", ["reason"])
_REFUSED = Counter("worker_refused_total", "Requests refused because the queue was full", ["lane"])
FAILED = Counter("worker_failed_total", "Texts that the engine could not embed")
TOKENS = Counter("worker_tokens_total", "Tokens embedded, without padding")
PADDING = Counter("worker_padding_tokens_total", "Padding computed beside them")
BATCH_TEXTS = Histogram(
    "worker_batch_texts",
    "Texts in a forward pass",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
BATCH_TOKENS = Histogram(
    "worker_batch_tokens",
    "Tokens in a forward pass",
    buckets=(8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
)
INFERENCE_SECONDS = Histogram(
    "worker_inference_seconds",
    "Seconds of a forward pass",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
# Of several processes the slowest.
MODEL_STARTUP = Gauge(
    "worker_model_startup_seconds",
    "Seconds that the model took to load, and to make the passes that warm it",
    ["phase"],
    multiprocess_mode="livemax",
)
_MODEL = Gauge(
    "worker_model_info",
    "1; the model that is served",
    ["model", "engine", "precision", "space", "fingerprint", "dimensions"],
    multiprocess_mode="livemax",
)

STAGES = Stages("tokenize", "queue", "inference")
# What is dropped for other reasons was wanted.
_SAVED = counters(Saved.DEADLINE, Saved.CLIENT_LEFT)
QUEUE = QueueMetrics(
    sizes={lane: QUEUE_TOKENS.labels(lane) for lane in Lane},
    inputs={lane: QUEUE_TEXTS.labels(lane) for lane in Lane},
    seconds={lane: QUEUE_SECONDS.labels(lane) for lane in Lane},
    refused={lane: _REFUSED.labels(lane) for lane in Lane},
    dropped={why: _DROPPED.labels(why) for why in WHY_DROPPED},
    saved={"expired": _SAVED[Saved.DEADLINE], "abandoned": _SAVED[Saved.CLIENT_LEFT]},
)


def serve(info: ModelInfo) -> None:
    """Name the model that is served from now on."""
    labels = (info.model, info.engine, info.precision, info.space, info.fingerprint, str(info.dimensions))
    _MODEL.labels(*labels).set(1)
