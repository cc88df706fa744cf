"""The resources that the api opens at start."""

from api.next_model import check_next_model, open_next_model
from api.postgres import check_postgres, check_replica, describe_replica, open_postgres, open_replica
from api.redis_cache import check_cache, open_cache
from api.worker_client import check_worker, open_worker
from warmstart import Resource

POSTGRES = Resource("postgres", open_postgres, check=check_postgres, timeout=10)
REDIS = Resource("redis", open_cache, check=check_cache, required=False, timeout=10)
WORKER = Resource("worker", open_worker, check=check_worker, timeout=10)
REPLACEMENT = Resource(
    "replacement", open_next_model, check=check_next_model, required=False, after=("postgres",), timeout=10
)
# For searches, where SEARCH_DATABASE_URL names one, or a vault may.
REPLICA = Resource("replica", open_replica, check=check_replica, describe=describe_replica, required=False, timeout=10)

RESOURCES = (POSTGRES, REDIS, WORKER, REPLACEMENT)
