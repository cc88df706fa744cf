"""Processes of a service are killed one by one."""

from drills.drill import Drill
from loadtest.openloop import Stream
from stack import Part

PROCESSES = 3
MAKER = "drills.requests:embedding"
IN_FLIGHT = 0.05  # seconds that a call takes, so that some are under way in each process


def kill_each(drill: Drill, part: Part) -> None:
    """Kill them one after the other: the kernel decides which of them has the connections."""
    for _ in range(PROCESSES):
        drill.kill_one(part)


def test_event_loop_blocked(drill: Drill) -> None:
    drill.load("api_repeated")
    drill.go(0.3)
    known = len(drill.stack.logs("api"))
    with drill.switched("api", blocked_loop=True):
        took = drill.until("it is replaced", lambda: "WORKER TIMEOUT" in drill.stack.logs("api")[known:], 10)
    drill.measure(seconds_until_replaced=took)
    drill.until_ready("api")
    drill.go(1)


def test_worker_process_killed(drill: Drill) -> None:
    with drill.slowed("worker", IN_FLIGHT):
        drill.load(MAKER)
        drill.go(0.2)
        kill_each(drill, "worker")
        drill.go(1)
        drill.finish()


def test_api_process_killed(drill: Drill) -> None:
    url = drill.stack.url("api")
    drill.stack.inject("api", {"slow_warmup": 1})  # of a replacement; the running processes are warm
    with drill.slowed("worker", IN_FLIGHT):
        drill.load(Stream(MAKER, url), Stream(MAKER, url, connections="fresh", name="fresh_connections"))
        drill.go(0.2)
        kill_each(drill, "api")
        drill.go(1)
        drill.finish()
