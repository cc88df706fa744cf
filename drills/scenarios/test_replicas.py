"""Replicas of the worker that come, go and hang while the api is busy."""

import time
from contextlib import suppress
from signal import Signals

from drills.drill import Drill
from drills.reaching import balanced, named
from drills.workers import Tally, served
from stack import StackError
from stack.http import FAILURES, ask

REPLICAS = 3
SHARED_WITHIN = 15.0  # seconds after the last replica became ready
LOOK = 4.0  # seconds over which shares are counted
RATE = 80.0  # requests/s
IN_FLIGHT = 0.1  # seconds that a call takes, so that the api needs several connections
BUSY = 0.25  # seconds: so long that each worker has calls in flight at any time
# Of its fair share. Behind one address, connections are distributed, not calls.
LEAST = {"compose": 0.75, "embedded": 0.5, "kubernetes": 0.5}
MAKER = "drills.requests:embedding"
HUNG = 8.0  # seconds: longer than REQUEST_TIMEOUT


def least_share(drill: Drill, replicas: list[str]) -> float:
    """The calls of some seconds that the worker with the fewest got, as a part of its fair share."""
    before = served(replicas)
    drill.hold(LOOK)
    got = [after - then for after, then in zip(served(replicas), before, strict=True)]
    return min(got) / max(1, sum(got)) * len(got)


def test_workers_added(drill: Drill) -> None:
    stack = drill.stack
    drill.undo(lambda: stack.scale("worker", 1))
    first = stack.scale("worker", 1)
    with balanced(drill) as balancer, drill.slowed("worker", IN_FLIGHT), Tally(drill.folder, first) as tally:
        drill.system.prove_steady()
        drill.watch()
        drill.load(MAKER, rate=RATE)
        drill.go(0.2)
        with drill.fault():
            replicas = stack.scale("worker", REPLICAS)
            tally.join(replicas)
            if balancer:
                balancer.add(replicas)
            ready, share, least = time.monotonic(), 0.0, LEAST[drill.system.kind]
            while share < least and time.monotonic() < ready + SHARED_WITHIN:
                with suppress(StackError, *FAILURES):
                    share = least_share(drill, replicas)
            drill.measure(seconds_until_shared=time.monotonic() - ready, least_share=share)
        drill.prove("replicas join", len(set(replicas)) == REPLICAS and all(map(answers, replicas)))
        drill.expect(
            "each gets its share", share >= least, f"one got {share:.2f} of its share after {SHARED_WITHIN:g} s"
        )
        drill.go(1)
        drill.measure(**tally.windows(ready, drill.finish()))


def test_workers_removed(drill: Drill) -> None:
    stack = drill.stack
    drill.undo(lambda: stack.scale("worker", 1))
    replicas = stack.scale("worker", REPLICAS)
    with balanced(drill) as balancer, drill.slowed("worker", BUSY), Tally(drill.folder, replicas) as tally:
        if balancer:
            balancer.add(replicas)
        drill.system.prove_steady()
        drill.watch()
        drill.load(MAKER, rate=RATE)
        least = LEAST[drill.system.kind]
        drill.until("all get calls", lambda: least_share(drill, replicas) >= least, SHARED_WITHIN)
        drill.go(0.3)
        with drill.fault():
            leaving = time.monotonic()
            [stays] = stack.scale("worker", 1)
        known, gone = served([stays])[0], time.monotonic()
        drill.prove("replicas leave", not any(answers(each) for each in replicas if each != stays))
        drill.go(1)
        rows = drill.finish()
        later = sum(row.ok for row in rows if row.sent > gone)
        got = served([stays])[0] - known
        drill.measure(**tally.windows(leaving, rows), seconds_until_gone=gone - leaving)
        drill.expect("the one that stays gets all calls", got >= later > 0, f"{got} of {later}")
        abrupt = [each.url for each in tally.workers if each.url != stays and "draining" not in each.phases]
        drill.expect("those that leave drain first", not abrupt, f"{', '.join(abrupt)} did not")


def test_worker_hung(drill: Drill) -> None:
    stack = drill.stack
    drill.undo(lambda: stack.scale("worker", 1))
    replicas = stack.scale("worker", 2)
    with named(drill, replicas):
        drill.system.prove_steady()
        drill.watch()
        drill.load(MAKER, rate=RATE)
        least = LEAST[drill.system.kind]
        drill.until("both get calls", lambda: least_share(drill, replicas) > least, SHARED_WITHIN)
        drill.go(0.3)
        with drill.fault(lambda: stack.signal_process("worker", Signals.SIGCONT)):
            stack.signal_process("worker", Signals.SIGSTOP)
            drill.hold(HUNG)
            drill.prove("it answers nothing", not all(map(answers, replicas)))
        drill.go(1)
        drill.finish()


def answers(replica: str) -> bool:
    """Whether it says that it lives."""
    with suppress(*FAILURES):
        return ask(f"{replica}/livez").status == 200
    return False
