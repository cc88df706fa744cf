"""The rows of drills that break the connections between the api and what it needs, by a proxy between them."""

from drills.row import STEADY, Control, Row
from drills.rows.common import UNAVAILABLE

SLOW = "latency=300 stream=downstream"  # of each round trip

ROWS = (
    Row(
        "postgres_slow",
        "A database that answers 300 ms later slows down what asks it, within bounds, and nothing else.",
        "what Postgres sends to the api takes 300 ms longer, for 6 s",
        probes={"api": STEADY},
        bites=("it is slow",),
        cluster="the proxy is in the api's pod",
        detours=("postgres",),
        control=Control("a health sample of one round trip", breaks="clients", patches={"api": "chatty_sample"}),
    ),
    Row(
        "redis_slow",
        "A Redis that answers 300 ms later costs a request its time limit at most, and soon nothing.",
        "what Valkey sends to the api takes 300 ms longer, for 6 s",
        probes={"api": STEADY},
        bites=("it is slow",),
        cluster="the proxy is in the api's pod",
        detours=("valkey",),
        control=Control(
            "the time limits of Redis",
            breaks="a new text waits once",
            settings={"api": {"CACHE_TIMEOUT": "10"}},
            patches={"api": "patient_cache"},
        ),
    ),
    Row(
        "worker_slow",
        "A worker that answers 300 ms later slows down new texts, within bounds, and nothing else.",
        "what the worker sends to the api takes 300 ms longer, for 6 s",
        probes={"api": STEADY},
        bites=("it is slow",),
        cluster="the proxy is in the api's pod",
        detours=("worker",),
        control=Control("the cache", breaks="the others don't notice", patches={"api": "no_cache"}),
    ),
    Row(
        "postgres_black_holed",
        "Once a Postgres in a black hole is back, no pooled connection stays dead, though nobody told the api of it.",
        "ten connections are pooled; for 5 s nothing passes, then Postgres' ends are closed, and the api is never told",
        probes={"api": STEADY},
        bites=("clients",),
        cluster="the proxy is in the api's pod",
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        radius=("search",),
        detours=("postgres",),
        control=Control(
            "ending idle connections", breaks="no connection stays dead", patches={"api": "idle_stay_pooled"}
        ),
    ),
    Row(
        "worker_black_holed",
        "Once a worker in a black hole is back, it is found at once, though nobody told the api of its connections.",
        "thirty connections are pooled; for 5 s nothing passes, then the worker's ends are closed, the api is not told",
        probes={"api": STEADY},
        bites=("clients",),
        cluster="the proxy is in the api's pod",
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        radius=("api_fresh",),
        settings={"api": {"REQUEST_TIMEOUT": "5"}},
        detours=("worker",),
        control=Control(
            "leaving the pool after a sample without an answer",
            breaks="it is found again",
            patches={"api": "worker_pool_stays"},
        ),
    ),
    Row(
        "worker_answers_half",
        "Answers of the worker that are reset, cut or trickle cost typed refusals in time, and nobody a wrong vector.",
        "3 s each: connections are reset; answers end after 1,000 bytes; answers come at 200 bytes/s",
        probes={"api": STEADY},
        bites=("clients",),
        cluster="the proxy is in the api's pod",
        clients=(UNAVAILABLE, "504 deadline_exceeded"),
        radius=("api_fresh",),
        settings={"api": {"REQUEST_TIMEOUT": "2"}},
        detours=("worker",),
        control=Control("REQUEST_TIMEOUT", breaks="nobody waits longer", settings={"api": {"REQUEST_TIMEOUT": "60"}}),
    ),
)
