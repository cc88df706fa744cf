"""The worker's own metrics."""

from prometheus_client import Counter, Gauge, Histogram

# lane: interactive, bulk
QUEUE_TOKENS = Gauge("worker_queue_tokens", "Tokens that wait for inference", ["lane"], multiprocess_mode="livesum")
QUEUE_SECONDS = Histogram(
    "worker_queue_seconds",
    "Seconds that a request waited until its first text was taken",
    ["lane"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
DROPPED = Counter("worker_dropped_total", "Texts that left the queue before inference", ["reason"])
REFUSED = Counter("worker_refused_total", "Requests refused because the queue was full", ["lane"])
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
