"""Replicas of the worker that come and go while the api is busy."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from signal import Signals

from drills.balancer import Balancer
from drills.drill import Drill
from stack import StackError
from stack.http import FAILURES, ask

REPLICAS = 3
SHARED_WITHIN = 15.0  # seconds after the last replica became ready
LOOK = 4.0  # seconds over which shares are counted
RATE = 40.0  # requests/s
IN_FLIGHT = 0.1  # seconds that a call takes, so that the api needs several connections
# Of its fair share. Behind one address, connections are distributed, not calls.
LEAST = {"compose": 0.75, "embedded": 0.5, "kubernetes": 0.5}
MAKER = "drills.requests:embedding"
HUNG = 8.0  # seconds: longer than REQUEST_TIMEOUT
SERVED = re.compile(rb'http_requests_total\{[^}]*route="/embeddings/"[^}]*\} (\d+)')


@contextmanager
def balanced(drill: Drill) -> Iterator[Balancer | None]:
    """The api with its drill's settings, and one address for all workers, each of which has a port of its own."""
    if drill.system.kind != "embedded":  # on compose and Kubernetes, a name or a Service leads to all of them
        drill.start("api")
        yield None
        return
    with Balancer([drill.stack.url("worker")]) as balancer:
        drill.start("api", WORKER_URL=balancer.url)
        yield balancer


def served(replicas: list[str]) -> list[float]:
    """The calls that each worker has answered since its start."""
    return [float(sum(map(int, SERVED.findall(ask(f"{url}/metrics").body)))) for url in replicas]


def least_share(replicas: list[str]) -> float:
    """The calls of some seconds that the worker with the fewest got, as a part of its fair share."""
    before = served(replicas)
    time.sleep(LOOK)
    got = [after - then for after, then in zip(served(replicas), before, strict=True)]
    return min(got) / max(1.0, sum(got)) * len(got)


def test_workers_added(drill: Drill) -> None:
    stack = drill.stack
    drill.undo(lambda: stack.scale("worker", 1))
    with balanced(drill) as balancer, drill.slowed("worker", IN_FLIGHT):
        drill.system.prove_steady()
        drill.watch()
        drill.load(MAKER, rate=RATE)
        drill.go(0.2)
        with drill.fault():
            replicas = stack.scale("worker", REPLICAS)
            if balancer:
                balancer.add(replicas)
            ready, share, least = time.monotonic(), 0.0, LEAST[drill.system.kind]
            while share < least and time.monotonic() < ready + SHARED_WITHIN:
                with suppress(StackError, *FAILURES):
                    share = least_share(replicas)
            drill.measure(seconds_until_shared=time.monotonic() - ready, least_share=share)
            stack.scale("worker", 1)
        drill.prove("replicas join", len(set(replicas)) == REPLICAS)
        drill.expect(
            "each gets its share", share >= least, f"one got {share:.2f} of its share after {SHARED_WITHIN:g} s"
        )
        drill.go(1)
        drill.finish()


def test_worker_hung(drill: Drill) -> None:
    stack = drill.stack
    drill.undo(lambda: stack.scale("worker", 1))
    replicas = stack.scale("worker", 2)
    drill.load(MAKER, rate=RATE)
    drill.until("both get calls", lambda: least_share(replicas) > LEAST[drill.system.kind], SHARED_WITHIN)
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
