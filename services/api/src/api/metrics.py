"""What the api counts besides the requests that warmstart counts."""

from prometheus_client import Counter

CACHE_LOOKUPS = Counter("api_cache_lookups", "Texts looked up in Redis", ["result"])  # hit, miss, error
CACHE_WRITES = Counter("api_cache_writes", "Texts written to Redis", ["result"])  # ok, error, dropped
SHARED_MISSES = Counter("api_shared_misses", "Texts that waited for another request's call to the worker")
WORKER_RETRIES = Counter("api_worker_retries", "Calls to the worker sent again on a fresh connection")
EXACT_SEARCHES = Counter("api_exact_searches", "Searches that the index alone could not fill")
LEFT_TO_REINDEX = Counter("api_left_to_reindex", "Documents stored without a vector of the other model")
# counted: redis, process; result: passed, refused
QUOTA_CALLS = Counter("api_quota_calls", "Calls counted against QUOTA: where, and how", ["counted", "result"])
# result: served, in vain (it was not back in time), refused (it has been away too long, or too many wait)
WAITS = Counter("api_waits", "Calls that found a dependency away", ["dependency", "result"])
