"""Postgres and Redis are stopped, paused and restarted."""

import socket
import struct
import time
from urllib.parse import urlsplit

from drills.drill import Drill
from drills.scenarios.test_recovery import BUDGET
from drills.scenarios.test_worker import bounded
from loadtest.percentiles import percentile
from stack import Part
from stack.http import ask

SEEN = 1.5  # seconds until a health sample, which runs every second, has seen that the store is back
HEALTHY = 5.0  # seconds; a hung sample is given up after its limit
ANSWER = 0.5  # seconds; a store that works answers at once
PATIENCE, CACHE_TIMEOUT = 1.0, 0.25  # seconds: DATABASE_PATIENCE, and that of a look-up
BUSY = 0.5  # seconds more on a busy machine
RESOURCES: dict[Part, str] = {"postgres": "postgres", "valkey": "redis"}


def lose(drill: Drill, part: Part, seconds: float, *, hang: bool) -> float:
    """Stop or pause a store for a while, under a load of embeddings, and of searches if it is about them.

    Returns:
        When the api had seen it healthy again, in monotonic seconds.
    """
    drill.load("api_repeated", "api_fresh", *(["search"] if part == "postgres" else []))
    drill.go(0.3)
    stack, url = drill.stack, drill.stack.url(part)
    undo = stack.resume if hang else stack.start
    with drill.fault(lambda: undo(part)):
        (stack.pause if hang else stack.stop)(part)
        drill.prove("it is lost", not answers(url))
        drill.hold(seconds)
    drill.until_ready("api")
    drill.hold(SEEN)
    drill.until("the api sees it healthy", lambda: seen_healthy(drill, part), HEALTHY)
    healthy = time.monotonic()
    drill.go(1)
    drill.finish()
    return healthy


def answers(url: str) -> bool:
    """Whether a store says anything to its protocol's first message: Postgres' request for TLS, Redis' PING."""
    address = urlsplit(url)
    hello = struct.pack("!ii", 8, 80877103) if address.scheme.startswith("postgres") else b"PING\r\n"
    try:
        with socket.create_connection((str(address.hostname), address.port or 0), timeout=ANSWER) as connection:
            connection.sendall(hello)
            return bool(connection.recv(1))
    except OSError:
        return False


def seen_healthy(drill: Drill, part: Part) -> bool:
    """Whether the api says so."""
    return ask(f"{drill.stack.url('api')}/readyz/{RESOURCES[part]}", timeout=2).status == 200


def embeddings(drill: Drill) -> None:
    """They need no database."""
    drill.promise("embeddings are served", lambda row: row.stream != "search")


def test_postgres_stopped(drill: Drill) -> None:
    embeddings(drill)
    lose(drill, "postgres", 4, hang=False)
    took = percentile([row.latency for row in drill.rows("search") if not row.ok] or [float("inf")], 90)
    drill.measure(refused_p90=took)
    drill.expect("searches are refused quickly", took < PATIENCE + BUSY, f"a tenth waited {took:.2f} s or more")


def test_postgres_paused(drill: Drill) -> None:
    embeddings(drill)
    lose(drill, "postgres", 5, hang=True)
    bounded(drill, drill.rows("search"), BUDGET)
    took = percentile([row.latency for row in drill.during() if row.stream != "search"], 90)
    drill.measure(embeddings_p90=took)
    drill.expect("embeddings don't wait", took < BUSY, f"a tenth waited {took:.2f} s or more")


def test_postgres_restarted(drill: Drill) -> None:
    embeddings(drill)
    healthy = lose(drill, "postgres", 0, hang=False)
    late = [row for row in drill.rows() if not row.ok and row.scheduled > healthy]
    drill.measure(seen_healthy_after=healthy - drill.fault_times[1])
    drill.expect("the pool heals", not late, f"{len(late)} requests failed after the api had seen Postgres healthy")
    if late:  # connections that don't heal by themselves
        drill.undo(lambda: drill.system.start("api", {}, wait=False))


def test_redis_stopped(drill: Drill) -> None:
    lose(drill, "valkey", 4, hang=False)


def test_redis_paused(drill: Drill) -> None:
    lose(drill, "valkey", 5, hang=True)
    waited = [row.latency for row in drill.during()]
    took = percentile(waited, 90)
    drill.measure(p90_without_redis=took, slowest_without_redis=max(waited))
    drill.expect("it costs its time limit", took < CACHE_TIMEOUT + BUSY, f"a tenth waited {took:.2f} s or more")


def test_redis_restarted(drill: Drill) -> None:
    lose(drill, "valkey", 0.5, hang=False)  # after an immediate restart, redis-py's retries alone would hide it
