"""The worker is killed, restarted, frozen, unreachable, stuck or broken."""

import time
from functools import partial

from drills.drill import RATE, Drill
from loadtest.openloop import Row, Stream
from loadtest.percentiles import percentile

UNREADY_SECONDS = 8.0  # two samples, after REQUEST_TIMEOUT or after a pass of a known text
REPLACED_SECONDS = 12.0  # HEAL_TIMEOUT, the drain, requests in flight, a start
SERVES = 0.5  # seconds between two kills, so that the probes see the worker serve
CAUGHT_UP = 30.0  # seconds until those who waited at a kill are served
SEEN = 2.5  # seconds until the api's sample, which runs every second, must have seen that the worker is back
AWAY = 8.0  # seconds: a connection that fails, the api's patience and a second of refusals after that
CONNECT = 2.0  # CONNECT_TIMEOUT of the api: by then the first connection to nowhere has failed
PATIENCE = 3.0  # WORKER_PATIENCE
PROMPT = 0.5  # seconds that a refusal may take on a busy machine
# Of 100 requests/s: two cores with AVX2 and no more compute some 80 of these short texts/s beside api and generator.
COMPUTED = 0.2
SLACK = 1.0  # seconds beyond REQUEST_TIMEOUT that an answer may take on a busy machine


def known_texts(drill: Drill) -> None:
    """Requests for cached texts don't fail; before the fault each text was asked for once."""
    drill.promise("known texts are served", lambda row: row.stream == "api_repeated")


def load(drill: Drill) -> None:
    """Few new texts, and short ones: the real model computes them on a slow machine, too."""
    url = drill.stack.url("api")
    drill.load(Stream("api_repeated", url, 1 - COMPUTED), Stream("api_short", url, COMPUTED))


def caught_up(drill: Drill) -> bool:
    """Whether nobody has waited for more than a second: a call that is under way at two kills is refused by design."""
    ended = {row.number for row in drill.rows()}
    return ended.issuperset(range(max(ended) - int(RATE)))


def bounded(drill: Drill, rows: list[Row], limit: float) -> None:
    """No request takes much longer than REQUEST_TIMEOUT."""
    slowest = max(row.latency for row in rows)
    drill.measure(slowest_answer=slowest)
    drill.expect("nobody waits longer", slowest <= limit + SLACK, f"one waited {slowest:.1f} s")


def fails_fast(drill: Drill, gone: float) -> None:
    """When the worker has been gone for longer than the api's patience, a request is refused without a wait."""
    over = gone + CONNECT + PATIENCE + PROMPT
    late = [row for row in drill.rows("api_fresh") if over < row.scheduled < drill.fault_times[1]]
    took = percentile([row.latency for row in late if not row.ok] or [float("inf")], 90)
    drill.measure(slowest_answer=max(row.latency for row in drill.rows()), refused_p90_after_the_patience=took)
    drill.expect("then it refuses at once", took < PROMPT, f"a tenth of {len(late)} waited {took:.2f} s or more")


def test_worker_killed(drill: Drill) -> None:
    known_texts(drill)
    load(drill)
    for share in (0.2, 0.4, 0.6):
        drill.go(share)
        took = drill.kill_one("worker")
        drill.until_ready("worker")
        drill.hold(SERVES)
        drill.until("those who waited are served", partial(caught_up, drill), CAUGHT_UP)
    drill.measure(seconds_until_replaced=took)
    drill.go(1)
    drill.finish()


def test_worker_restarted(drill: Drill) -> None:
    known_texts(drill)
    load(drill)
    drill.go(0.4)
    with drill.fault():
        drill.stack.stop("worker")
        drill.system.start_again("worker")
    drill.until_ready("worker")
    drill.go(1)
    drill.finish()


def test_worker_frozen(drill: Drill) -> None:
    drill.load("api_repeated", "api_fresh")
    drill.go(0.3)
    with drill.fault(lambda: drill.stack.resume("worker")):
        drill.stack.pause("worker")
        drill.hold(6)
    drill.until_ready("worker")
    drill.go(1)
    bounded(drill, drill.finish(), limit=2)


def test_worker_unreachable(drill: Drill) -> None:
    known_texts(drill)
    drill.load("api_repeated", "api_fresh")
    drill.go(0.2)
    with drill.fault(lambda: drill.stack.mend("worker")):
        drill.stack.cut("worker")
        gone = time.monotonic()  # on compose the cut takes 0.3 s
        drill.hold(AWAY)
    drill.until_ready("api")
    drill.go(1)
    drill.finish()
    fails_fast(drill, gone)


def broken_until_replaced(drill: Drill, **faults: object) -> None:
    """A fault that the worker's process can't heal; its switch is turned off once there is another process."""
    drill.load("api_repeated", "api_fresh")
    drill.go(0.2)
    watch = drill.watches["worker"]
    known = len(watch.pids)
    with drill.switched("worker", **faults):
        unready = drill.until("it is unready", lambda: watch.tracks["/readyz"].now == "503", UNREADY_SECONDS)
        took = drill.until("it is replaced", lambda: len(watch.pids) > known, REPLACED_SECONDS)
    drill.measure(seconds_until_unready=unready, seconds_until_replaced=unready + took)
    drill.until_ready("worker")
    drill.hold(SEEN)
    drill.go(1)
    drill.finish()


def test_inference_stuck(drill: Drill) -> None:
    broken_until_replaced(drill, slow_calls={"inference": 3600})
    bounded(drill, drill.rows(), limit=2)


def test_engine_broken(drill: Drill) -> None:
    broken_until_replaced(drill, failing_calls=["inference"])
    bounded(drill, drill.rows(), limit=2)
