"""Names, addresses, clocks and certificates change around the services."""

import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urlsplit

from drills.certificates import Authority, tls_in_front
from drills.database import sql
from drills.drill import Drill
from drills.moving import address, taken
from drills.names import ADDRESS, name_server
from drills.scenarios.test_connections import POOLED, at_once
from drills.scenarios.test_recovery import healthy
from drills.scenarios.test_worker import known_texts
from drills.system import MODEL
from stack import ComposeStack, Part
from stack.http import FAILURES, ask
from stack.operator_key import operator_headers

IMAGE = "warmstart-worker:0.1.0"
NAME = "worker.drill"
HERE, FIRST, SECOND = "127.0.0.1", "127.0.0.2", "127.0.0.3"  # all of them are this machine
SILENT = 5.0  # seconds: an address is looked up again after two
STREAMS = ("api_repeated", "api_fresh", "search")
SERVICES: tuple[Part, ...] = ("worker", "api")
RATE = 50.0  # requests/s, of which a third wait for the lock
MINUTE, HOUR = 60.0, 3600.0  # seconds
MOVED = 2.0  # seconds: two health samples
KEPT = 3.0  # seconds
SEEN = 5.0  # seconds; a service looks for its switches every 0.05, and at the clock every second
HELD = 0.5  # seconds of a lock
EXPIRY = "certificate has expired"
EXPIRED = 3.0  # seconds: several health samples
REFUSING = 3.0  # seconds
FOUND = 10.0  # seconds; a look-up that began in the silence is repeated after five


def test_worker_moved(drill: Drill) -> None:
    if isinstance(drill.stack, ComposeStack):
        moves(drill, drill.stack)
    else:
        moves_in_silence(drill)


def moves(drill: Drill, stack: ComposeStack) -> None:
    """Its container gets another address; the engine's name server knows it."""
    drill.undo(lambda: drill.system.restore("api"))  # the control's never finds the worker
    known_texts(drill)
    drill.load("api_repeated", "api_fresh")
    drill.go(0.3)
    before = address(stack, "worker")
    with drill.fault(lambda: stack.mend("worker")):
        stack.cut("worker")
        with taken(stack, before, IMAGE):
            stack.mend("worker")
    drill.prove("it has moved", address(stack, "worker") not in ("", before))
    took = drill.until("it is found", lambda: computes(drill), FOUND)
    drill.measure(seconds_until_found=took)
    found = time.monotonic()
    drill.go(1)
    drill.served("then all are served", [row for row in drill.finish() if row.scheduled > found])


def moves_in_silence(drill: Drill) -> None:
    """It listens at another address while nobody answers for its name."""
    known_texts(drill)
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
            names.addresses, names.silent = (SECOND,), False
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


def test_clock_moved(drill: Drill) -> None:
    drill.load(*STREAMS, rate=RATE)
    drill.go(0.1)
    with drill.fault(lambda: move_clocks(drill, 0)):
        for seconds in (HOUR, -HOUR):
            move_clocks(drill, seconds)
            drill.hold(MOVED)
            fill_pool(drill)
            drill.hold(HELD)
            drill.prove("connections are made anew", end_all(drill))
            drill.hold(MOVED)
    before = sessions(drill)
    drill.hold(KEPT)
    made = sessions(drill) - before
    drill.go(1)
    drill.finish()
    again = sum(row.timing.get("inference", 0) > 0 for row in drill.rows("api_repeated"))
    drill.measure(connections_made_afterwards=made, known_texts_computed_again=again)
    drill.expect("connections are kept", made <= POOLED, f"{made} were made in {KEPT:g} s")


def test_certificate_expired(drill: Drill) -> None:
    stack = drill.stack
    known = urlsplit(stack.environment("api")["DATABASE_URL"])
    authority = Authority.found(drill.folder / "certificates")
    with tls_in_front(known.port or 0, authority.sign("good", 1)) as proxy:
        trusted = f"{stack.share('drill-ca.crt', authority.certificate)}/drill-ca.crt"
        where = f"{known.netloc.rpartition('@')[0]}@{HERE}:{proxy.port}"
        query = urlencode({"sslmode": "verify-full", "sslrootcert": trusted})
        drill.start("api", DATABASE_URL=known._replace(netloc=where, query=query).geturl())
        drill.system.prove_steady()
        drill.watch()
        drill.load(*STREAMS, rate=RATE)
        drill.go(0.2)
        fill_pool(drill)
        with drill.fault():
            proxy.context = authority.sign("expired", -1)
            drill.hold(EXPIRED)
            ending = time.monotonic()
            end_all(drill)
            drill.until("the probe says why", lambda: EXPIRY in verbose(drill), SEEN)
            drill.prove("it is expired", EXPIRY in verbose(drill))
            drill.expect("no secret is shown", str(known.password) not in verbose(drill), verbose(drill))
            drill.hold(EXPIRED)
            proxy.context = authority.sign("renewed", 1)
        took = drill.until("it is healthy again", lambda: healthy(drill, "postgres"), SEEN)
        renewed = time.monotonic()
        drill.go(1)
        rows = drill.finish()
        drill.unwatch()
        stack.stop("api")
    begin = drill.fault_times[0]
    drill.measure(seconds_until_healthy=took)
    drill.served("open connections serve on", [row for row in rows if row.done and begin < row.done < ending])
    drill.served("then all are served", [row for row in rows if row.scheduled > renewed])
    drill.served("embeddings are served", [row for row in rows if row.stream != "search"])


def verbose(drill: Drill) -> str:
    """What the api's probe says of its resources."""
    return ask(f"{drill.stack.url('api')}/readyz?verbose", timeout=2, more=operator_headers()).body.decode()


def move_clocks(drill: Drill, seconds: float) -> None:
    """Have both services take the time for so much later than it is."""
    for part in SERVICES:
        drill.stack.inject(part, {"moved_clock": seconds} if seconds else {})
    if seconds:
        drill.until("it is moved", lambda: abs(off(drill) - seconds) < MINUTE, SEEN)
        drill.prove("it is moved", seconds)


def fill_pool(drill: Drill) -> None:
    """Have as many connections as there may be: each is held by a request that waits for a lock."""
    with ThreadPoolExecutor(1) as thread:
        locked = thread.submit(sql, drill.stack, f"LOCK TABLE documents; SELECT pg_sleep({HELD})")
        drill.require("the pool is full", all(ok for ok, _ in at_once(drill, POOLED)), "not all were answered")
        locked.result()


def end_all(drill: Drill) -> int:
    """Have Postgres end every connection; returns how many there were."""
    others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
    return int(sql(drill.stack, f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"))


def sessions(drill: Drill) -> int:
    """Connections to the database that were ever made."""
    return int(sql(drill.stack, "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"))


def off(drill: Drill) -> float:
    """Seconds by which the api's clock, as its answers have it, is ahead of ours."""
    date = ask(f"{drill.stack.url('api')}/livez", timeout=2).headers["date"]
    return parsedate_to_datetime(date).timestamp() - time.time()


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
