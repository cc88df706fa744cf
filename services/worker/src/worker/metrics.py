"""The worker's own metrics. Where children are bound here, each is there, as 0, before anything has happened."""

from prometheus_client import Counter, Gauge, Histogram

from contract.lane import Lane
from contract.model import ModelInfo
from contract.saved import Saved, counters
from warmstart.http.stage_metrics import Stages

QUEUE_TOKENS = Gauge("worker_queue_tokens", "Tokens that wait for inference", ["lane"], multiprocess_mode="livesum")
QUEUE_TEXTS = Gauge("worker_queue_texts", "Texts that wait for inference", ["lane"], multiprocess_mode="livesum")
QUEUE_LIMIT = Gauge("worker_queue_limit_tokens", "Most tokens that may wait for inference", multiprocess_mode="livesum")
QUEUE_SECONDS = Histogram(
    "worker_queue_seconds",
    "Seconds that a request waited until its first text was taken",
    ["lane"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
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

DROPPED = {why: _DROPPED.labels(why) for why in ("expired", "abandoned", "failed", "stuck", "stopped")}
REFUSED = {lane: _REFUSED.labels(lane) for lane in Lane}
STAGES = Stages("tokenize", "queue", "inference")
# What is dropped for other reasons was wanted.
_SAVED = counters(Saved.DEADLINE, Saved.CLIENT_LEFT)
_SAVED_BY = {"expired": _SAVED[Saved.DEADLINE], "abandoned": _SAVED[Saved.CLIENT_LEFT]}


def drop(why: str, texts: int) -> None:
    """Count texts that leave the queue; `why` is a key of `DROPPED`."""
    DROPPED[why].inc(texts)
    if why in _SAVED_BY:
        _SAVED_BY[why].inc(texts)


def serve(info: ModelInfo) -> None:
    """Name the model that is served from now on."""
    labels = (info.model, info.engine, info.precision, info.space, info.fingerprint, str(info.dimensions))
    _MODEL.labels(*labels).set(1)
