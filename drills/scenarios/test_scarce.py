"""Too little of what a machine gives: memory."""

from contextlib import ExitStack

from drills.drill import Drill
from drills.memory import memory_limit

LIMIT = 512  # megabytes on embedded; compose.yaml gives the worker 2 GiB
LEAK = 3072  # megabytes: more than either
START = 5.0  # seconds of the replacement's start: clients don't wait for that long


def test_out_of_memory(drill: Drill) -> None:
    stack, watch = drill.stack, drill.watches["worker"]
    drill.undo(lambda: stack.inject("worker", {}))
    drill.load("api_repeated", "api_fresh")
    drill.go(0.3)
    with ExitStack() as limits:
        if drill.system.kind == "embedded":
            limits.enter_context(memory_limit(stack.pids("worker"), LIMIT))
        with drill.fault():
            victims = set(watch.pids)
            stack.inject("worker", {"leaked_mb": LEAK})
            took = drill.until("it is killed", lambda: not victims & set(stack.pids("worker")), 20)
            stack.inject("worker", {"slow_warmup": START})
            drill.until("it is replaced", lambda: watch.pids - victims, 30)
        drill.until_ready("worker")
        drill.hold(2.5)
        drill.go(1)
        drill.finish()
    drill.measure(seconds_until_killed=took)
    drill.served("known texts are served", drill.rows("api_repeated"))
