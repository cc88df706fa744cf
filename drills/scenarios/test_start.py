"""Drills about the start."""

import random
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM

from drills.drill import Drill
from loadtest.openloop import Stream
from stack import PARTS, Part, StackError

PROMPT = 2.0  # seconds
# Seconds for a start that can't succeed, which takes up to two; on compose a container is tried six times.
GIVEN = {"embedded": 6.0, "compose": 12.0, "kubernetes": 12.0}


def test_slow_warmup(drill: Drill) -> None:
    stack = drill.stack
    stack.stop("worker")
    with drill.switched("worker", slow_warmup=3600):
        drill.start("worker")
        drill.watch()
        drill.until("it is alive", lambda: drill.watches["worker"].tracks["/livez"].now == "200", 20)
        drill.load(Stream("worker_typical", stack.probe_url("worker")))
        drill.hold(3)
    drill.until_ready("worker")
    drill.go(0.5)
    ready = found.at if (found := drill.watches["worker"].tracks["/readyz"].first("200")) else 0.0
    admitted = [row for row in drill.finish() if row.ok and row.sent < ready - 0.2]
    drill.expect("nobody meets it cold", not admitted, f"{len(admitted)} requests were let in before it was ready")
    drill.measure(ready_after=ready - drill.begin)


def ends(drill: Drill, cause: str, **settings: str) -> None:
    """The worker, started with a fault, ends by itself with the row's status and names the cause."""
    known = drill.stack.logs("worker")
    with drill.fault():
        drill.start("worker", **settings)
        drill.watch()
        took = drill.until("it gives up", lambda: cause in errors(drill, known), GIVEN[drill.system.kind])
        drill.until("it gives up", lambda: exit_code(drill, "worker") is not None, 60)
        drill.unwatch()
    code = exit_code(drill, "worker")
    drill.measure(seconds_until_it_said_why=took, exit_code=str(code))
    drill.expect("its exit code", code == drill.row.exit_code, f"{code} instead of {drill.row.exit_code}")


def errors(drill: Drill, known: str) -> str:
    """The error lines that the worker has logged since then; the log of a new container begins anew."""
    lines = drill.stack.logs("worker").removeprefix(known).splitlines()
    return "\n".join(line for line in lines if "ERROR" in line or '"error"' in line)


def exit_code(drill: Drill, part: Part) -> int | None:
    """None while the worker runs, or is restarted."""
    return next(status.exit_code for status in drill.stack.status() if status.part == part)


def test_warmup_over_budget(drill: Drill) -> None:
    drill.stack.stop("worker")
    with drill.switched("worker", slow_warmup=3600):
        ends(drill, "not ready within 1 s; faults opening")


def test_model_missing(drill: Drill) -> None:
    drill.stack.stop("worker")
    ends(drill, "EMBEDDING_MODEL=/no/such/model")


def test_model_corrupt(drill: Drill) -> None:
    drill.stack.stop("worker")
    drill.stack.share("model.safetensors", "these are no weights\n")
    folder = drill.stack.share("manifest.json", '{"model": "all-Mini')
    ends(drill, folder, EMBEDDING_MODEL=folder, ARTIFACTS=str(Path(folder).parent))


def test_sigterm_while_warming(drill: Drill) -> None:
    stack = drill.stack
    stack.stop("worker")
    with drill.switched("worker", slow_warmup=3600):
        drill.start("worker")
        if drill.controlled:  # it takes its time to leave
            drill.undo(lambda: kill_if_it_runs(drill))
        drill.watch()
        drill.until("it is warming", lambda: drill.watches["worker"].phase.now == "warming", 20)
        began = time.monotonic()
        stack.signal("worker", SIGTERM)
        drill.until("it leaves", lambda: exit_code(drill, "worker") is not None, PROMPT + 3)
        took = time.monotonic() - began
        drill.unwatch()
    code = exit_code(drill, "worker")
    drill.measure(seconds_to_exit=took, exit_code=str(code))
    drill.expect("it leaves", took < PROMPT + 1, f"after {took:.1f} s")  # the check itself takes up to a second
    drill.expect("its exit code", code == drill.row.exit_code, f"{code} instead of {drill.row.exit_code}")


def kill_if_it_runs(drill: Drill) -> None:
    with suppress(StackError):
        drill.stack.signal("worker", SIGKILL)


def test_start_in_any_order(drill: Drill) -> None:
    stack = drill.stack
    for part in reversed(PARTS):
        stack.stop(part)
    order: list[Part] = ["postgres", "valkey", "worker"]
    random.shuffle(order)
    drill.measure(order=", ".join(order))
    with drill.fault():
        drill.start("api")
        drill.watch()
        drill.until("it waits", lambda: drill.watches["api"].tracks["/livez"].now == "200", 20)
        drill.load(Stream("api_fresh", stack.probe_url("api")))
        for part in order:
            drill.hold(0.5)
            alive, code = drill.watches["api"].tracks["/livez"].now == "200", exit_code(drill, "api")
            drill.require("it waits", alive and code is None, f"gone before {part} was started, exit code {code}")
            drill.system.start_again(part)
        drill.until_ready("api", "it waits")
    drill.go(0.5)
    drill.finish()
