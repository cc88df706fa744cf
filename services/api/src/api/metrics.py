"""What the api counts besides the requests that warmstart counts.

Children are bound here: each is there, as 0, before anything has happened, and no request looks one up.
"""

from prometheus_client import Counter, Gauge, Histogram

from contract.saved import Saved, counters
from warmstart.http.stage_metrics import Stages

_LOOKUPS = Counter("api_cache_lookups", "Texts looked up in Redis", ["result"])
CACHE_HITS, CACHE_MISSES, CACHE_ERRORS = (_LOOKUPS.labels(result) for result in ("hit", "miss", "error"))
_WRITES = Counter("api_cache_writes", "Texts written to Redis", ["result"])
CACHE_WRITTEN, CACHE_FAILED, CACHE_DROPPED = (_WRITES.labels(result) for result in ("ok", "error", "dropped"))
SAVED = counters(Saved.CACHE_HIT, Saved.DUPLICATE, Saved.SHARED)
STAGES = Stages("cache", "tokenize", "queue", "inference", "classify", "database", "chat")
WORKER_RETRIES = Counter("api_worker_retries", "Calls to the worker sent again on a fresh connection")
EXACT_SEARCHES = Counter(
    "api_exact_searches", "Searches of all that match: the index did not fill them, or a flag said so"
)
LEFT_TO_REINDEX = Counter("api_left_to_reindex", "Documents stored without a vector of the other model")
# result: computed, own (the caller's), no_predictor (on any worker), failed (also: too slow), no_room (in the metadata)
_LABELS = Counter("api_document_labels", "Documents on their way in, where CLASSIFY_DOCUMENTS is on", ["result"])
LABELS = {result: _LABELS.labels(result) for result in ("computed", "own", "no_predictor", "failed", "no_room")}
_QUOTA = Counter("api_quota_calls", "Calls counted against QUOTA: where, and how", ["counted", "result"])
QUOTA_CALLS = {
    (counted, fits): _QUOTA.labels(counted, "passed" if fits else "refused")
    for counted in ("redis", "process")
    for fits in (True, False)
}
# result: served, in vain (it was not back in time), refused (it has been away too long, or too many wait)
WAITS = Counter("api_waits", "Calls that found a dependency away", ["dependency", "result"])
for dependency in ("postgres", "replica", "worker", "predictor"):
    for result in ("served", "in vain", "refused"):
        WAITS.labels(dependency, result)

# Database connections: OpenTelemetry's names for the pools of database clients.
POOL = "db_client_connection_pool_name"
POOL_USED = Gauge(
    "db_client_connection_count",
    "Connections of the pool that requests use",
    [POOL, "db_client_connection_state"],
    multiprocess_mode="livesum",
)
POOL_SIZE = Gauge("db_client_connection_max", "Connections that the pool may have", [POOL], multiprocess_mode="livesum")
POOL_WAITS = Histogram(
    "db_client_connection_wait_time_seconds",
    "Seconds until a request has its connection, a free one or a new one, or gets none",
    [POOL],
    buckets=(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5),
)
