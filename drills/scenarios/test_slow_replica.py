"""One replica of the worker is slower than the others."""

from collections.abc import Collection
from urllib.parse import urlsplit

from drills.drill import Drill
from drills.reaching import named
from drills.workers import Tally, served
from loadtest.openloop import Row
from loadtest.percentiles import percentile

REPLICAS = 3
RATE = 60.0  # requests/s
IN_FLIGHT = 0.1  # seconds that a call takes, so that each worker has some in flight
SLOW = 1.0  # seconds that a call takes at the slow one
FAST = 0.9  # seconds: a call that takes less is none of its
MOST = 0.5  # of its fair share, which it may get
MAKER = "drills.requests:embedding"


def test_one_of_three_slow(drill: Drill) -> None:
    stack = drill.stack
    drill.undo(lambda: stack.scale("worker", 1))
    replicas = stack.scale("worker", REPLICAS)
    slow = urlsplit(stack.own_url("worker")).netloc  # the first one
    with named(drill, replicas), drill.slowed("worker", IN_FLIGHT), Tally(drill.folder, replicas):
        drill.system.prove_steady()
        drill.watch()
        none = served(replicas)
        drill.load(MAKER, rate=RATE)
        drill.go(0.3)
        some = served(replicas)
        with drill.switched("worker", slow_calls={"inference": IN_FLIGHT, f"inference@{slow}": SLOW - IN_FLIGHT}):
            drill.go(0.9)
        rows = drill.finish()
        all_of_them = served(replicas)
    begin, end = drill.fault_times
    before, counts = more(some, none), more(all_of_them, some)
    part = counts[0] / max(1, sum(counts)) * REPLICAS
    earlier = [row for row in rows if row.scheduled < begin]
    during = [row for row in rows if begin < row.scheduled < end]
    drill.prove("one is slow", any(at_the_slow_one(row) for row in during))
    others = [row for row in during if not at_the_slow_one(row)]
    drill.measure(calls_of_each_before=str(before), calls_of_each_with_a_slow_one=str(counts), share_of_the_slow=part)
    drill.measure(before=latency(earlier))
    drill.measure(all_with_a_slow_one=latency(during), at_the_others=latency(others))
    drill.expect("it gets few calls", part <= MOST, f"it got {part:.2f} of a fair share")
    usual = [row.latency for row in earlier]
    for fact, share, counted in (("four of five are fast", 80, during), ("the others don't suffer", 95, others)):
        took, limit = percentile([row.latency for row in counted], share), max(FAST, 2 * percentile(usual, share))
        drill.expect(fact, took < limit, f"{100 - share} % take {took:.2f} s or longer")


def more(now: list[int], then: list[int]) -> list[int]:
    """The calls of each worker in between."""
    return [each - known for each, known in zip(now, then, strict=True)]


def at_the_slow_one(row: Row) -> bool:
    """Whether the slow worker has answered it: by the time of the pass, which is the switch's."""
    return row.timing.get("inference", 0.0) >= FAST * 1000


def latency(rows: Collection[Row]) -> str:
    """Percentiles, for the report."""
    took = [row.latency * 1000 for row in rows if row.ok]
    shares = ", ".join(f"p{share} {percentile(took, share):.0f} ms" for share in (50, 95, 99)) if took else "none"
    return f"{len(took)} calls: {shares}"
