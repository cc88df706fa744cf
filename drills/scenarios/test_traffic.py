"""Restarts under load, overload, and clients that leave."""

import time
from collections import Counter

from drills.drill import Drill
from drills.ledger import kind
from drills.requests import TOKENS
from drills.scenarios.test_recovery import BUDGET
from drills.scenarios.test_worker import SLACK
from loadtest.openloop import Stream
from loadtest.percentiles import percentile
from stack import Part
from stack.health import age

MAKER = "drills.requests:embedding"
PASS = 0.05  # seconds of a forward pass, which takes about one request of TOKENS: a worker computes 20 a second
PROMPT = 0.8  # seconds; a few passes
NEVER = float("inf")  # seconds until an answer that did not come
FILLING = 2.0  # seconds in which five times the capacity fills the queue with 64 requests of TOKENS


def roll(drill: Drill, part: Part) -> None:
    """Replace a service while requests of 50 ms are under way, over pooled and over fresh connections."""
    url = drill.stack.url("api")
    with drill.slowed("worker", 0.05):
        drill.load(Stream(MAKER, url), Stream(MAKER, url, connections="fresh", name="fresh_connections"))
        drill.go(0.1)
        with drill.fault():
            began = time.monotonic()
            drill.stack.roll(part)
        drill.prove("it is replaced", age(drill.stack.probe_url(part)) < time.monotonic() - began)
        drill.go(1)
        drill.finish()


def test_rolling_restart_api(drill: Drill) -> None:
    drill.stack.inject("api", {"slow_warmup": 1})  # a request that reaches a new process too early is refused
    roll(drill, "api")


def test_rolling_restart_worker(drill: Drill) -> None:
    roll(drill, "worker")


def test_overload(drill: Drill) -> None:
    url = drill.stack.url("worker")
    with drill.slowed("worker", PASS):
        drill.load(Stream("drills.requests:heavy", url), rate=200)
        with drill.fault():
            drill.go(1)
            rows = drill.finish()  # the load is the fault
    accepted = [row.latency for row in rows if row.ok]
    refused = [row for row in rows if kind(row) == "503 overloaded"]
    silent = [row for row in refused if not row.retry_after]
    slowest = max(accepted, default=NEVER)
    drill.expect("refusals say when to come back", not silent, f"{len(silent)} of {len(refused)} without Retry-After")
    drill.expect("most are refused", len(refused) > len(rows) / 2, f"{len(refused)} of {len(rows)}")
    drill.expect("some are accepted", accepted, f"none of {len(rows)}")
    drill.expect("they are answered in time", slowest <= BUDGET + SLACK, f"one waited {slowest:.1f} s")
    waited = [row.latency for row in refused] or [NEVER]
    drill.measure(
        tokens_a_request=TOKENS,
        accepted_p99=percentile(accepted or [NEVER], 99),
        refused_p50=percentile(waited, 50),
        refused_p99=percentile(waited, 99),
    )


def test_bulk_flood(drill: Drill) -> None:
    with drill.slowed("worker", PASS):
        drill.load(MAKER)
        drill.go(0.1)
        with drill.fault():
            flood = drill.load(Stream("drills.requests:bulk", drill.stack.url("worker")), rate=100)
            drill.hold(FILLING)
            drill.go(0.5)
            flood.stop()
        drill.finish()
    begin, end = drill.fault_times
    full = [row.latency for row in drill.rows() if row.ok and begin + FILLING < row.scheduled < end]
    typical = percentile(full or [NEVER], 50)
    drill.expect("they don't wait for bulk calls", typical < PROMPT, f"half of them waited {typical:.1f} s or more")
    answers = Counter(kind(row) for row in flood.rows())
    drill.prove("bulk calls are refused", answers["503 overloaded"])
    drill.expect("bulk calls go on", answers["ok"], answers)
    drill.measure(
        typical_seconds_beside_bulk=typical,
        p99_beside_bulk=percentile(full or [NEVER], 99),
        bulk_calls=len(flood.rows()),
        bulk_calls_answered=answers["ok"],
    )


def test_clients_leave(drill: Drill) -> None:
    url = drill.stack.url("worker")
    with drill.slowed("worker", PASS):
        drill.load(Stream("drills.requests:light", url))
        drill.go(0.1)
        with drill.fault():
            leavers = drill.load(Stream("drills.requests:heavy", url), rate=150, timeout=0.1)
            drill.go(0.5)
            leavers.stop()
        drill.prove("clients leave", any(not row.ok for row in leavers.rows()))
        drill.go(0.7)
        drill.finish()
    meanwhile = [row.latency for row in drill.during() if row.ok]
    typical = percentile(meanwhile or [NEVER], 50)
    drill.expect("they are served as before", typical < PROMPT, f"half of them waited {typical:.1f} s or more")
    drill.measure(
        clients_that_left=sum(not row.ok for row in leavers.rows()), typical_seconds_of_those_who_stay=typical
    )
