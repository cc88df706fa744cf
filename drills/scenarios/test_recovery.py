"""Everything comes back at the same time."""

import time

from drills.drill import Drill
from drills.requests import POPULAR, popular_text
from drills.scenarios.test_worker import SLACK
from drills.system import MODEL
from loadtest.openloop import Stream
from stack.http import ask

WEIGHTS = {"drills.requests:popular": 95.0, "api_fresh": 3.0, "search": 2.0}
PASS = 0.1  # seconds of a forward pass, which takes one popular text
AWAY = 6.0  # seconds: the api's health samples have failed, and its patience is over
AFTER = 6.0  # seconds: so long the worker would have too much to do, if it computed texts twice
SEEN = 10.0  # seconds until its samples, which run every second, have seen everything
BUDGET = 10.0  # REQUEST_TIMEOUT
RESOURCES = ("postgres", "redis", "worker")
AT_ONCE = 10  # texts of a call


def test_recovery_stampede(drill: Drill) -> None:
    stack = drill.stack
    ask_for_all(drill)
    with drill.slowed("worker", PASS):
        drill.load(*(Stream(maker, stack.url("api"), weight) for maker, weight in WEIGHTS.items()))
        drill.go(0.1)
        with drill.fault(lambda: back_at_once(drill)):
            stack.pause("worker")
            stack.stop("valkey")
            stack.stop("postgres")
            drill.hold(AWAY)
        drill.until("the api sees all of them", lambda: all(healthy(drill, name) for name in RESOURCES), SEEN)
        seen = time.monotonic()
        drill.promise("nobody is refused again", lambda row: row.scheduled > seen)
        drill.hold(AFTER)
        drill.go(1)
        rows = drill.finish()
    computed = [row for row in rows if row.stream == "popular" and row.ok and row.timing.get("inference")]
    drill.prove("the cache is empty", any(row.scheduled > drill.fault_times[0] for row in computed))
    late = [row for row in rows if row.scheduled > seen]
    slowest = max(row.latency for row in rows)
    drill.measure(
        seconds_until_seen=seen - drill.fault_times[1],
        asked_after_that=len(late),
        refused_after_that=sum(not row.ok for row in late),
        last_refusal_after=max([0.0, *(row.scheduled - seen for row in late if not row.ok)]),
        slowest_answer=slowest,
    )
    drill.expect("nobody waits longer", slowest <= BUDGET + SLACK, f"one waited {slowest:.1f} s")


def ask_for_all(drill: Drill) -> None:
    """Have the cache know each popular text."""
    texts = [popular_text(number) for number in range(POPULAR)]
    for start in range(0, POPULAR, AT_ONCE):
        drill.system.post("/v1/embeddings", {"model": MODEL, "input": texts[start : start + AT_ONCE]})


def back_at_once(drill: Drill) -> None:
    """Start the stores, whose cache is empty then, and let the worker go on."""
    for part in ("valkey", "postgres"):
        if not next(each for each in drill.stack.status() if each.part == part).running:
            drill.stack.start(part, wait=False)
    drill.stack.resume("worker")


def healthy(drill: Drill, resource: str) -> bool:
    """Whether the api says so."""
    return ask(f"{drill.stack.url('api')}/readyz/{resource}", timeout=2).status == 200
