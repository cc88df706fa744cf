"""Names, addresses, clocks and certificates change around the services."""

import time

from drills.drill import Drill
from drills.names import ADDRESS, name_server
from drills.scenarios.test_worker import known_texts
from drills.system import MODEL
from stack.http import FAILURES, ask

NAME = "worker.drill"
HERE, FIRST, SECOND = "127.0.0.1", "127.0.0.2", "127.0.0.3"  # all of them are this machine
SILENT = 5.0  # seconds: an address is looked up again after two
REFUSING = 3.0  # seconds
FOUND = 20.0  # seconds; a look-up that began in the silence is repeated after five


def test_worker_moved(drill: Drill) -> None:
    port = drill.address("worker")[1]
    folder = drill.stack.share("resolv.conf", f"nameserver {ADDRESS}\n")
    with name_server(NAME, FIRST) as names:
        drill.start("worker", HOST=f"{HERE},{FIRST}")
        drill.start("api", WORKER_URL=f"http://{NAME}:{port}", DRILL_RESOLV_CONF=f"{folder}/resolv.conf")
        drill.system.prove_steady()
        drill.system.remember_known_texts()
        drill.watch()
        drill.load("api_repeated", "api_fresh")
        drill.go(0.2)
        with drill.fault():
            names.silent = True
            drill.hold(SILENT)
            moving = time.monotonic()
            drill.start("worker", HOST=f"{HERE},{SECOND}")
            drill.until("it is ready elsewhere", lambda: answers(SECOND, port), FOUND)
            drill.prove("it has moved", not answers(FIRST, port))
            drill.hold(REFUSING)
            drill.prove("look-ups have no answer", names.unanswered)
            names.address, names.silent = SECOND, False
        took = drill.until("it is found", lambda: computes(drill), FOUND)
        found = time.monotonic()
        drill.go(1)
        rows = drill.finish()
        drill.measure(look_ups_without_an_answer=names.unanswered, seconds_until_found=took)
        drill.unwatch()
        drill.stack.stop("api")
    begin = drill.fault_times[0]
    drill.served("its known address is used on", [row for row in rows if row.done and begin < row.done < moving])
    drill.served("then all are served", [row for row in rows if row.scheduled > found])
    known_texts(drill)


def answers(host: str, port: int) -> bool:
    """Whether the worker is ready at this address."""
    try:
        return ask(f"http://{host}:{port}/readyz", timeout=1).status == 200
    except FAILURES:
        return False


def computes(drill: Drill) -> bool:
    """Whether the api reaches a worker."""
    body = {"model": MODEL, "input": f"found at {time.time()}"}
    return ask(f"{drill.stack.url('api')}/v1/embeddings", "POST", body, timeout=5).status == 200
