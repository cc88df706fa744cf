"""What the api opens at start, in its own words."""

from api.postgres import open_engine, ping_engine
from api.redis_cache import open_cache, ping_cache
from api.worker_client import check_worker, open_worker
from servicekit import Resource

RESOURCES = (
    Resource("postgres", open_engine, check=ping_engine),
    Resource("redis", open_cache, check=ping_cache, required=False),
    Resource("worker", open_worker, check=check_worker),
)
