"""What the api opens at start, in its own words."""

from api.postgres import check_postgres, open_postgres
from api.redis_cache import check_cache, open_cache
from api.worker_client import check_worker, open_worker
from warmstart import Resource

RESOURCES = (
    Resource("postgres", open_postgres, check=check_postgres),
    Resource("redis", open_cache, check=check_cache, required=False),
    Resource("worker", open_worker, check=check_worker),
)
