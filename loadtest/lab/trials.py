"""One start of the worker, observed from exec to steady state."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from loadtest.lab import disturbance, users
from loadtest.lab.birth import created
from loadtest.lab.measurement import PHASES, Trial
from loadtest.lab.others import Others
from loadtest.lab.page_cache import drop_page_cache
from loadtest.lab.probes import StartProbes, first_accept
from loadtest.lab.shapes import Asker
from loadtest.lab.steady import steady_since
from loadtest.lab.strategies import Strategy
from loadtest.openloop import Background
from stack import Stack, StackError, until

START_SECONDS = 120.0  # more than STARTUP_TIMEOUT
LOOK, LOOK_ELSEWHERE = 0.05, 1.0  # seconds between two checks whether it has ended; kubectl uses a CPU for 0.1 s
BEFORE = 0.5  # seconds of arrivals before the start
AFTER = 7.0  # seconds of arrivals after the first embedding, of which 5 show the steady state
REQUESTS = 15  # of each shape in a quiet trial


@dataclass
class Started:
    """A worker that has become ready; times are `time.monotonic()` seconds."""

    exec_time: float
    seen: Mapping[str, float]
    others: Others
    beside: Sequence[int]

    def others_share(self, stack: Stack) -> float | None:
        """Of this machine's CPU time since exec, what went to others than it and those beside it; elsewhere, None."""
        return self.others.share([*stack.pids("worker"), *self.beside]) if stack.local else None

    def stolen(self, stack: Stack) -> float:
        """The part that went to the host of the virtual machine."""
        return self.others.stolen() if stack.local else 0.0

    def phases(self, **more: float | None) -> dict[str, float | None]:
        """Seconds after exec."""
        times = {**self.seen, **more}
        found = {phase: times.get(phase) for phase in PHASES}
        return {phase: None if when is None else round(when - self.exec_time, 4) for phase, when in found.items()}


@contextmanager
def started(stack: Stack, strategy: Strategy, *beside: int) -> Iterator[Started]:
    """Start the worker by a strategy, wait until it is ready, and stop it in the end.

    `beside` are other processes that belong to the trial.

    Raises:
        StackError: it ended, or wasn't ready in time.
    """
    if strategy.cold_cache:
        drop_page_cache()
    called = time.monotonic()
    stack.start("worker", wait=False, environment=strategy.environment)
    try:
        pids = stack.pids("worker") if stack.local else []
        others = Others([*pids, *beside])  # the work of an engine before exec, to make a container, is no disturbance
        exec_time = (created(pids[0]) if pids else None) or called
        with StartProbes(stack.own_url("worker")) as probes, first_accept(stack.own_url("worker")) as accepted:
            what, interval = f"start by strategy {strategy.name}", LOOK if stack.local else LOOK_ELSEWHERE
            until(lambda: probes.ready or _ended(stack, pids), START_SECONDS, what, interval=interval)
        # With a port-forward, the forward accepts connections before the worker does.
        accept = {"accept": accepted[0]} if stack.local and accepted else {}
        yield Started(exec_time, {**probes.seen, **accept}, others, beside)
    finally:
        stack.stop("worker")


def _ended(stack: Stack, pids: Sequence[int]) -> bool:
    """Raise StackError when the worker has ended. To ask the stack would cost an engine more than the probes do."""
    if not stack.local:
        ended = any(each.part == "worker" and each.exit_code is not None for each in stack.status())
    else:
        ended = not pids or not psutil.pid_exists(pids[0])
    if ended:
        raise StackError(f"the worker ended while it started:\n{stack.logs('worker')[-2000:]}")
    return False


def users_trial(stack: Stack, strategy: Strategy, number: int, rows: Path) -> Trial:
    """Start it while people come at random times; their rows go to a file."""
    with Background(users.plan(stack.url("worker"), seed=number), rows) as load:
        time.sleep(BEFORE)
        with started(stack, strategy, load.pid) as worker:
            until(lambda: any(row.ok for row in load.rows()), START_SECONDS, "a first embedding", interval=0.1)
            first = min(row.done for row in load.rows() if row.ok and row.done)
            ends = max(worker.exec_time + users.WINDOW, first + AFTER)
            time.sleep(max(0.0, ends - time.monotonic()))
            others, stolen = worker.others_share(stack), worker.stolen(stack)
            load.stop()
            with Asker(stack.own_url("worker")) as asker:
                engine = asker.engine()
    run = load.run
    reason = disturbance.reason(others, stolen) or run.verdict.reason
    return Trial(
        number,
        strategy.name,
        "users",
        worker.phases(first_embedding=first, steady=steady_since(run.rows, first, ends)),
        engine,
        valid=not reason,
        reason=reason,
        others=others,
        stolen=stolen,
        users=users.experience(run.rows, worker.exec_time),
    )


def quiet_trial(stack: Stack, strategy: Strategy, number: int, idle: float = 0, requests: int = REQUESTS) -> Trial:
    """Start it alone, then ask for one shape after another; with `idle`, once more after so many seconds."""
    with started(stack, strategy) as worker, Asker(stack.own_url("worker")) as asker:
        shapes = asker.each_shape(requests)
        time.sleep(idle)
        after = asker.each_shape(1) if idle else {}
        engine = asker.engine()
        others, stolen = worker.others_share(stack), worker.stolen(stack)
    reason = disturbance.reason(others, stolen)
    return Trial(
        number,
        strategy.name,
        "quiet",
        worker.phases(first_embedding=asker.first_embedding),
        engine,
        valid=not reason,
        reason=reason,
        others=others,
        stolen=stolen,
        shapes=shapes,
        idle={shape: times[0] for shape, times in after.items()},
    )
