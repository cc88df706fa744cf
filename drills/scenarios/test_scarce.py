"""Too little of what a machine gives: CPU, memory, room in shared memory and on a disk."""

import random
import time
from contextlib import ExitStack
from pathlib import Path
from shutil import disk_usage

from drills.disk import BALLAST, fill, filled, small_disk
from drills.drill import Drill
from drills.memory import memory_limit
from drills.requests import long_texts
from drills.scenarios.test_worker import known_texts
from drills.throttle import throttled
from loadtest.openloop import Stream
from loadtest.openloop.client import Client
from loadtest.openloop.peer import Peers
from loadtest.percentiles import percentile
from stack import EmbeddedStack, Part, free_ports

LIMIT = 512  # megabytes on embedded; compose.yaml gives the worker 2 GiB
LEAK = 3072  # megabytes: more than either
START = 5.0  # seconds of the replacement's start: clients don't wait for that long
SERVICES: tuple[Part, ...] = ("worker", "api")
FIFTH = 0.2
WEIGHTS = {"api_repeated": 14.0, "api_fresh": 5.0}
BATCHES = "drills.requests:long_texts:{count}"
BATCH_SECONDS = 0.5  # of one: at a fifth of the CPU more than gunicorn's timeout, and a quarter of REQUEST_TIMEOUT
TRIED, MOST, TRIED_WITHIN = 8, 32, 10.0  # long texts, and seconds for the trial
THROTTLED_RATE = 20.0
THROTTLED = 10.0  # seconds: five times gunicorn's timeout
USUAL = 3  # calls
REPLACED = 7.0  # seconds; it takes one
SLOWER = 2.0  # times
STREAMS = ("api_repeated", "search", "document")


def test_cpu_throttled(drill: Drill) -> None:
    api, worker = drill.stack.url("api"), drill.stack.url("worker")
    streams = [Stream(maker, api, weight) for maker, weight in WEIGHTS.items()]
    known_texts(drill)
    batch = texts_of_a_batch(worker)
    drill.load(*streams, Stream(BATCHES.format(count=batch), worker, 1), rate=THROTTLED_RATE)
    drill.until("some batches are computed", lambda: sum(row.ok for row in drill.rows("long_texts")) >= USUAL, 60)
    with drill.fault(), throttled(drill.stack, SERVICES, FIFTH):
        drill.hold(THROTTLED)
    drill.go(0.02)
    drill.finish()
    begin, end = drill.fault_times
    batches = drill.rows("long_texts")
    usual = percentile([row.latency for row in batches if row.done and row.done < begin], 50)
    slowest = max(row.latency for row in batches if begin < row.scheduled < end)
    drill.prove("it is slow", slowest > SLOWER * usual)
    drill.measure(texts_of_a_batch=batch, seconds_of_a_batch_before=usual, slowest_batch=slowest)


def texts_of_a_batch(worker: str) -> int:
    """How many long texts this machine computes in `BATCH_SECONDS`: on two of them it was 4 and 32."""
    request, seconds = long_texts(str(TRIED))(random.Random(), 0), []
    client = Client(worker, pooled=False, peers=Peers())
    for _ in range(2):  # the first may be slower
        began = time.monotonic()
        tried = client.send(request, began + TRIED_WITHIN)
        if tried.answer is None or tried.answer.status != 200:
            raise RuntimeError(f"the worker has not computed {TRIED} long texts within {TRIED_WITHIN:g} s")
        seconds.append(tried.done - began)
    return max(1, min(MOST, int(TRIED * BATCH_SECONDS / min(seconds))))


def test_out_of_memory(drill: Drill) -> None:
    stack, watch = drill.stack, drill.watches["worker"]
    drill.undo(lambda: stack.inject("worker", {}))
    known_texts(drill)
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


def test_shared_memory_full(drill: Drill) -> None:
    folder = drill.folder / "shm"
    folder.mkdir(parents=True)
    with small_disk(folder, 8):
        for part in SERVICES:
            (folder / part).mkdir()
            drill.start(part, PROMETHEUS_MULTIPROC_DIR=str(folder / part))
        drill.system.prove_steady()
        drill.watch()
        drill.load("api_repeated", "api_fresh", "search")
        drill.go(0.2)
        known = {part: len(drill.stack.logs(part)) for part in SERVICES}
        with filled(folder):
            drill.prove("it is full", disk_usage(folder).free == 0)
            for part in SERVICES:
                replace(drill, part, folder / BALLAST)
        drill.go(1)
        drill.finish()
        drill.unwatch()
        said = [drill.stack.logs(part)[known[part] :] for part in SERVICES]
        drill.prove("metrics are lost", all("no space for" in each for each in said))
        for part in SERVICES:
            drill.stack.stop(part)


def replace(drill: Drill, part: Part, ballast: Path) -> None:
    """Kill a process; its replacement finds no room, since what the files of the dead one give back is taken."""
    watch, known = drill.watches[part], len(drill.watches[part].pids)
    drill.kill_process(part)

    def replaced() -> bool:
        fill(ballast)
        return len(watch.pids) > known and watch.phase.now == "ready ready"

    drill.until("it is replaced", replaced, REPLACED)


def test_postgres_disk_full(drill: Drill) -> None:
    data = drill.folder / "postgres" / "data"
    data.mkdir(parents=True)
    with small_disk(data, 160), EmbeddedStack(data.parent, free_ports(), ("postgres",)) as other:
        other.migrate()
        drill.start("api", DATABASE_URL=other.url("postgres"))
        drill.system.prove_steady()
        drill.watch()
        drill.load(*STREAMS)
        drill.go(0.2)
        with drill.fault(), filled(data):
            for _ in range(30):
                drill.hold(0.1)
                fill(data / BALLAST)  # what Postgres has given back meanwhile
        room = time.monotonic()
        drill.go(1)
        rows = drill.finish()
        drill.unwatch()
        drill.stack.stop("api")
    refused = [row for row in rows if row.stream == "document" and not row.ok]
    drill.prove("writes are refused", refused)
    drill.measure(writes_refused=len(refused))
    drill.served("reading goes on", [row for row in rows if row.stream != "document"])
    drill.served("writing goes on at once", [row for row in rows if row.scheduled > room])
