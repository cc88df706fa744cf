"""Processes of a service are killed one by one."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from drills.drill import Drill
from drills.system import MODEL
from drills.watch import Watch
from loadtest.openloop import Stream
from stack import Part
from stack.http import ask

PROCESSES = 3
QUERIES = 3
REPLACED = 6.0  # seconds: three times gunicorn's timeout
RETRIED = 2.5  # seconds until the api has retried all that one kill met, one call at a time: api.suspects.PATIENCE
ANSWERED = 15.0  # seconds that the answer to a deadly text may take
SECOND = 1.0  # seconds until the second process that a deadly text kills is surely missed
DEADLY = "these words are deadly"
MAKER = "drills.requests:embedding"
IN_FLIGHT = 0.05  # seconds that a call takes, so that some are under way in each process


def kill_each(drill: Drill, part: Part) -> None:
    """Kill them one after the other: the kernel decides which of them has the connections.

    A call that meets two kills is refused, as it may be the cause of both.
    """
    for _ in range(PROCESSES):
        drill.kill_one(part)
        drill.hold(RETRIED)


def test_event_loop_blocked(drill: Drill) -> None:
    drill.load("api_repeated")
    drill.go(0.3)
    known = len(drill.stack.logs("api"))
    with drill.switched("api", blocked_loop=True):
        took = drill.until("it is replaced", lambda: "WORKER TIMEOUT" in drill.stack.logs("api")[known:], REPLACED)
    drill.measure(seconds_until_replaced=took)
    drill.until_ready("api")
    drill.go(1)
    drill.finish()


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


def test_query_of_death(drill: Drill) -> None:
    watch, codes = drill.watches["worker"], list[str]()
    asking = f"{drill.stack.url('api')}/v1/embeddings"
    drill.undo(lambda: drill.stack.inject("worker", {}))
    drill.stack.inject("worker", {"slow_calls": {"inference": IN_FLIGHT}, "deadly_text": DEADLY})
    drill.load(MAKER)
    drill.go(0.2)
    for number in range(QUERIES):
        known = len(watch.pids)
        with drill.fault():
            body = {"model": MODEL, "input": f"{DEADLY} {number} {drill.begin}"}
            apart = ThreadPoolExecutor(1)  # so that the drill can be aborted meanwhile
            asked = apart.submit(ask, asking, "POST", body, timeout=ANSWERED)
            apart.shutdown(wait=False)
            drill.until("it is answered", asked.done, ANSWERED + 1)
            answer = asked.result()
            codes.append(answer.json().get("error", {}).get("code", str(answer.status)))
            drill.until("it is killed", partial(grown, watch, known), 60)
        drill.hold(SECOND)
        drill.until("it is replaced", lambda: whole(watch), 60)
        killed, most = len(watch.pids - watch.first_pids), 2 * (number + 1)
        drill.expect("restarts are bounded", killed <= most, f"{killed} by {number + 1} requests")
    drill.prove("it is deadly", len(watch.pids) > len(watch.first_pids))
    drill.measure(processes_killed=killed, deadly_requests=QUERIES)
    drill.expect("it is refused, typed", set(codes) <= {"dependency_unavailable"}, codes)
    drill.go(1)
    drill.finish()


def grown(watch: Watch, known: int) -> bool:
    """Whether more processes than those were seen."""
    return len(watch.pids) > known


def whole(watch: Watch) -> bool:
    """Whether all processes of the pod are ready."""
    return watch.phase.now == " ".join(["ready"] * PROCESSES)
