"""Postgres and Redis lost."""

from drills.row import STEADY, Control, Row
from drills.rows.common import BOTH, COUPLED, UNAVAILABLE

ROWS = (
    Row(
        "postgres_stopped",
        "Without Postgres, searches are refused quickly and typed; embeddings don't notice, the api stays ready.",
        "Postgres stopped for 4 s",
        probes={"api": STEADY},
        bites=("clients", "it is lost"),
        cluster="the Service has no endpoint and refuses at once; the new pod gets clients when it has its data back",
        clients=(UNAVAILABLE,),
        radius=("search",),
        control=Control("decoupled readiness", breaks="api /readyz", settings={"api": COUPLED}),
    ),
    Row(
        "postgres_paused",
        "A Postgres that hangs holds no probe and no embedding; searches fail typed, within REQUEST_TIMEOUT.",
        "Postgres paused for 5 s: connections stay open, nothing answers",
        probes={"api": STEADY},
        bites=("clients", "it is lost"),
        cluster="its processes are stopped in the pod, which is neither restarted nor moved",
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        radius=("search",),
        control=Control("decoupled readiness", breaks="api /readyz", settings={"api": COUPLED}),
    ),
    Row(
        "postgres_restarted",
        "When Postgres restarts, no request is lost: searches wait for it, and the pool heals by itself.",
        "Postgres stopped and started at once",
        probes={"api": STEADY},
        bites=("it is lost",),
        cluster="a new pod, which gets clients when it has its data back, for longer than the api's patience",
        elsewhere={kind: {"clients": (UNAVAILABLE,), "radius": ("search",)} for kind in ("compose", "kubernetes")},
        control=Control("dropping dead connections", breaks="the pool heals", patches={"api": "dead_stay_pooled"}),
    ),
    Row(
        "redis_stopped",
        "Without Redis no request is lost.",
        "Valkey stopped for 4 s",
        probes=BOTH,
        bites=("it is lost",),
        cluster="the Service has no endpoint and refuses at once",
        control=Control("treating Redis as optional", breaks="clients", patches={"api": "cache_required"}),
    ),
    Row(
        "redis_paused",
        "A Redis that hangs loses no request, and costs nine of ten no more than its time limit.",
        "Valkey paused for 5 s: connections stay open, nothing answers",
        probes=BOTH,
        bites=("it is lost",),
        cluster="its processes are stopped in the pod, which is neither restarted nor moved",
        control=Control("treating Redis as optional", breaks="clients", patches={"api": "cache_required"}),
    ),
    Row(
        "redis_restarted",
        "A restart of Redis loses no request.",
        "Valkey stopped, and started half a second later",
        probes=BOTH,
        bites=("it is lost",),
        cluster="a new pod",
        control=Control("taking its errors for misses", breaks="clients", patches={"api": "cache_errors_count"}),
    ),
)
