"""Connections that are slow, silent or cut, with all parts well."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from drills.drill import Drill
from drills.rows.connections import SLOW
from drills.scenarios.test_recovery import healthy
from drills.scenarios.test_stores import HEALTHY, SEEN, embeddings, seen_healthy
from drills.scenarios.test_worker import bounded, known_texts
from drills.system import MODEL
from loadtest.openloop import Row, Stream
from loadtest.percentiles import percentile
from stack import Part
from stack.http import FAILURES, Answer, ask

HELD = 6.0  # seconds: two health samples may fail, and the pauses before them
FACTOR, NOISE = 3.0, 0.15  # what takes three times as long, and 150 ms, was slowed down; the fault alone adds 300
FIRST = 1.0  # seconds of the fault in which nobody can know of it yet
LAST = 2.0
SLOWED = 0.1  # seconds, of 0.3: those who join a look-up that is under way wait for the rest of its CACHE_TIMEOUT only
ONCE = 0.45  # seconds: CACHE_TIMEOUT and 0.2; to wait for the look-up and then for the storing takes 0.6
# At 300 ms a round trip, ten connections carry eight searches a second; these are two, and two documents.
WEIGHTS = {"api_repeated": 24.0, "api_fresh": 24.0, "search": 1.0, "drills.requests:stored": 1.0}
KNOWN, FRESH, STORED = "api_repeated", "api_fresh", "stored"
# So few that most pooled connections are idle while nothing passes.
FEW_SEARCHES = {"api_repeated": 50.0, "api_fresh": 49.0, "search": 1.0}
CALLS = 30  # at a time
FEW_CALLS = {"api_repeated": 99.0, "api_fresh": 1.0}
POOLED = 10  # DATABASE_POOL_SIZE
GIVEN = 20.0  # seconds for an answer
PROMPT = 1.5  # seconds; an answer takes one of 0.01, and a dead connection five


def slow(drill: Drill, part: Part, others: Sequence[str], bound: float) -> None:
    """Have a part answer late; `others` are the streams of requests that don't ask it."""
    drill.load(*(Stream(maker, drill.stack.url("api"), weight) for maker, weight in WEIGHTS.items()))
    drill.go(0.2)
    with drill.spoiled(part, SLOW):
        drill.hold(HELD)
    drill.until_ready("api")
    drill.go(1)
    drill.finish()
    asking = [row for row in drill.during() if row.stream not in others]
    drill.prove("it is slow", median([row for row in asking if row.scheduled < drill.fault_times[0] + FIRST]) > SLOWED)
    slowest = max(row.latency for row in asking)
    drill.measure(slowest_that_asked_it=slowest)
    drill.expect("they are bounded", slowest <= bound, f"one waited {slowest:.1f} s")
    for stream in others:
        quick(drill, stream)


def before(drill: Drill, stream: str = "") -> list[Row]:
    """Requests that were answered before it."""
    return [row for row in drill.rows(stream) if row.done and row.done < drill.fault_times[0]]


def median(rows: Sequence[Row]) -> float:
    """Of their latencies, in seconds."""
    return percentile([row.latency for row in rows], 50)


def quick(drill: Drill, stream: str) -> None:
    """Requests that don't ask the slow part are as quick as before."""
    usual, now = (percentile([row.latency for row in rows(drill, stream)], 99) for rows in (before, Drill.during))
    drill.measure(**{f"{stream}_p99_before": usual, f"{stream}_p99": now})
    detail = f"{stream}: p99 {now * 1000:.0f} ms, before {usual * 1000:.0f}"
    drill.expect("the others don't notice", now <= max(FACTOR * usual, NOISE), detail)


def test_postgres_slow(drill: Drill) -> None:
    fill_pool(drill)
    slow(drill, "postgres", [KNOWN, FRESH], bound=7)  # POOL_TIMEOUT and COMMAND_TIMEOUT


def test_redis_slow(drill: Drill) -> None:
    slow(drill, "valkey", [STORED], bound=0.75)  # CACHE_TIMEOUT, and half a second on a busy machine
    begin, end = drill.fault_times
    new = median([row for row in drill.during(FRESH) if row.scheduled < begin + FIRST])
    late = [row for row in drill.during(KNOWN) if row.scheduled > end - LAST]
    usual, now = median(before(drill, KNOWN)), median(late)
    drill.measure(new_p50_at_first=new, known_p50_before=usual, known_p50_at_last=now)
    drill.expect("a new text waits once", new <= ONCE, f"half waited {new * 1000:.0f} ms or more")
    drill.expect("soon nobody waits", now <= max(FACTOR * usual, NOISE), f"half waited {now * 1000:.0f} ms or more")


def test_worker_slow(drill: Drill) -> None:
    slow(drill, "worker", [KNOWN, STORED], bound=1.5)


def test_postgres_black_holed(drill: Drill) -> None:
    embeddings(drill)
    fill_pool(drill)
    drill.load(*(Stream(maker, drill.stack.url("api"), weight) for maker, weight in FEW_SEARCHES.items()))
    drill.go(0.3)
    with drill.spoiled("postgres", "timeout"):
        drill.hold(5)
        drill.respoil("postgres", "half_open")
        drill.hold(0.5)
    drill.until_ready("api")
    drill.hold(SEEN)
    back = drill.until("the api sees it healthy", lambda: seen_healthy(drill, "postgres"), 2 * HEALTHY)
    found = at_once(drill, POOLED)
    slowest, failed = max(seconds for _, seconds in found), sum(not ok for ok, _ in found)
    drill.measure(seen_healthy_after=SEEN + back, slowest_afterwards=slowest, failed_afterwards=failed)
    drill.expect("no connection stays dead", not failed and slowest < PROMPT, f"{failed} of {POOLED}, {slowest:.1f} s")
    drill.go(1)
    drill.finish()


def test_worker_black_holed(drill: Drill) -> None:
    known_texts(drill)
    if drill.controlled:  # it would try one dead connection after the other, for half a minute
        drill.undo(lambda: drill.system.start("api", {}, wait=False))
    drill.undo(lambda: drill.stack.spoil("worker", ()))
    drill.respoil("worker", SLOW)
    drill.require("the pool is full", all(ok for ok, _ in at_once(drill, CALLS, embed)), "not all were answered")
    drill.stack.spoil("worker", ())
    drill.load(*(Stream(maker, drill.stack.url("api"), weight) for maker, weight in FEW_CALLS.items()))
    drill.go(0.3)
    with drill.spoiled("worker", "timeout"):
        drill.hold(5)
        drill.respoil("worker", "half_open")
        drill.hold(0.5)
    took = drill.until("it is found again", lambda: healthy(drill, "worker"), HEALTHY)
    found = at_once(drill, CALLS, embed)
    slowest, failed = max(seconds for _, seconds in found), sum(not ok for ok, _ in found)
    drill.measure(seen_healthy_after=took, slowest_afterwards=slowest, failed_afterwards=failed)
    drill.expect("no connection stays dead", not failed and slowest < PROMPT, f"{failed} of {CALLS}, {slowest:.1f} s")
    drill.go(1)
    drill.finish()


def fill_pool(drill: Drill) -> None:
    """Have as many connections as there may be, each by a request that holds it for some time."""
    drill.undo(lambda: drill.stack.spoil("postgres", ()))
    drill.respoil("postgres", SLOW)
    drill.require("the pool is full", all(ok for ok, _ in at_once(drill, POOLED)), "not all requests were answered")
    drill.stack.spoil("postgres", ())


def stored(api: str) -> Answer:
    """Ask for a document."""
    return ask(f"{api}/v1/documents/drill-0", timeout=GIVEN)


def embed(api: str) -> Answer:
    """Ask for the embedding of a new text."""
    return ask(f"{api}/v1/embeddings", "POST", {"model": MODEL, "input": uuid4().hex}, timeout=GIVEN)


def at_once(drill: Drill, count: int, asking: Callable[[str], Answer] = stored) -> list[tuple[bool, float]]:
    """So many requests to the api at the same time: whether each was answered, and after how many seconds."""
    api = drill.stack.url("api")

    def one(_: int) -> tuple[bool, float]:
        began = time.monotonic()
        try:
            ok = asking(api).status == 200
        except FAILURES:
            ok = False
        return ok, time.monotonic() - began

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_worker_answers_half(drill: Drill) -> None:
    known_texts(drill)
    drill.load(KNOWN, FRESH)
    drill.go(0.2)
    for words in ("reset_peer", "limit_data bytes=1000 stream=downstream", "bandwidth rate=0.2 stream=downstream"):
        with drill.spoiled("worker", words):
            drill.hold(3)
        drill.hold(SEEN)
        drill.until("it is found again", lambda: healthy(drill, "worker"), HEALTHY)
    drill.until_ready("api")
    drill.go(1)
    bounded(drill, drill.finish(), limit=2)
