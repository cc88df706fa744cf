"""docs/lifecycle.md, rules 1 and 7: drain, closing, and leaving early."""

import http.client
import signal

import psutil
import pytest

from stack import until
from stack.http import exchange
from tests.harness import Gunicorn, Load, Watch
from tests.harness.http import outcome
from tests.harness.sample import Start, World

REQUESTS = 5000


def test_sigterm_under_load_loses_nothing(world: World, start: Start) -> None:
    """Of ≥ 5,000 requests none is lost by clients that leave at the first 503 or `Connection: close`; exit 0."""
    service = start(WEB_CONCURRENCY=2, DRAIN_SECONDS=2, LOG_LEVEL="warning").wait_ready()
    with Load(service.port, "/work") as load:
        load.wait_for(REQUESTS)
        service.terminate()
        service.wait_for("/readyz", 503)
        assert service.wait_exit() == 0
    assert load.ledger.before[200] >= REQUESTS
    assert load.ledger.lost == {}, load.ledger


def test_without_the_drain_requests_are_lost(world: World, start: Start) -> None:
    """Control of rule 7: a listener that closes at once loses requests of clients that nobody told.

    Nearly always: an answer that was under way may be what tells them.
    """
    lost: dict[int | str, int] = {}
    for _ in range(5):
        service = start("no_drain", LOG_LEVEL="warning").wait_ready()
        with Load(service.port, "/work") as load:
            load.wait_for(1000)
            service.terminate()
            service.wait_exit()
            load.wait_for(load.sent + 50)
        lost |= load.ledger.lost
        if lost:
            break
    assert lost != {}


def test_draining_answers_say_connection_close(world: World, start: Start) -> None:
    """While draining, requests are served with `Connection: close`, and readiness is 503."""
    service = start(DRAIN_SECONDS=3).wait_ready()
    service.terminate()
    service.wait_for("/readyz", 503)
    answer = service.get("/work")
    assert (answer.status, answer.headers.get("connection")) == (200, "close")
    assert service.get("/livez").status == 200
    assert service.wait_exit() == 0


def test_readiness_may_stay_while_draining(world: World, start: Start) -> None:
    """With DRAIN_READYZ=200, `/readyz` is 200 until the listener closes; requests still get `Connection: close`."""
    service = start(DRAIN_SECONDS=2, DRAIN_READYZ="200").wait_ready()
    with Watch(service.port, "/readyz") as watch:
        service.terminate()
        service.wait_for_log("ready -> draining")
        answer = service.get("/work")
        assert (answer.status, answer.headers.get("connection")) == (200, "close")
        assert service.wait_exit() == 0
    assert [each for each in watch.answers if isinstance(each, int)] == [200]


def test_a_process_that_was_never_ready_does_not_say_so_when_it_leaves(world: World, start: Start) -> None:
    """With DRAIN_READYZ=200, SIGTERM during the warm-up makes nothing ready."""
    world.model(30)
    service = start(DRAIN_READYZ="200")
    service.wait_for("/readyz", 503)
    with Watch(service.port, "/readyz") as watch:
        service.terminate()
        assert service.wait_exit() == 0
    assert 200 not in watch.answers


def test_the_control_keeps_pooled_clients(world: World, start: Start) -> None:
    """Control of rule 7: without the header a pooled client is not told to leave."""
    service = start("no_connection_close", DRAIN_SECONDS=2).wait_ready()
    service.terminate()
    service.wait_for("/readyz", 503)
    assert "connection" not in service.get("/work").headers


def asked_after_the_listener_closed(service: Gunicorn) -> http.client.HTTPConnection:
    """A request on a connection that was accepted in time, when new connections are already refused."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
    connection.connect()
    assert service.get("/livez").status == 200  # a later connection was answered: this one is accepted
    service.terminate()
    until(lambda: outcome(service.port, "/livez") == "ConnectionRefusedError", 10, "a closed listener")
    return connection


def test_a_connection_accepted_at_the_end_may_ask_once(world: World, start: Start) -> None:
    """A request on a connection accepted just before the end is answered, with `Connection: close`; exit 0."""
    service = start(DRAIN_SECONDS=0.2).wait_ready()
    answer = exchange(asked_after_the_listener_closed(service), "/work")
    assert (answer.status, answer.headers.get("connection")) == (200, "close")
    assert service.wait_exit() == 0


def test_the_control_resets_it(world: World, start: Start) -> None:
    """Control of rule 7: uvicorn alone closes each connection on which no request was parsed."""
    service = start("no_first_request", DRAIN_SECONDS=0.2).wait_ready()
    connection = asked_after_the_listener_closed(service)
    with pytest.raises((OSError, http.client.HTTPException)):
        exchange(connection, "/work")


def test_a_silent_connection_does_not_keep_the_process(world: World, start: Start) -> None:
    """A connection that never asks is closed after a second, long before uvicorn would cut it; the exit is 0."""
    service = start(DRAIN_SECONDS=0.2).wait_ready()
    connection = asked_after_the_listener_closed(service)
    assert service.wait_exit() == 0
    assert connection.sock.recv(1) == b""
    assert not service.error_lines("timeout graceful shutdown exceeded")


def test_requests_in_flight_end_before_resources_close(world: World, start: Start) -> None:
    """A request that is running when the drain ends is answered; only then do resources close, in reverse order."""
    service = start(DRAIN_SECONDS=0.2).wait_ready()
    with Load(service.port, "/work?seconds=1.5", pooled=1, fresh=0) as load:
        service.wait_for_log("working for 1.5 s")
        service.terminate()
        assert service.wait_exit() == 0
    assert load.ledger.before == {200: 1}
    assert world.trace() == [
        "open database",
        "open cache",
        "open model",
        "close model",
        "close cache",
        "close database",
    ]


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("warmup", ["background", "blocking"])
def test_sigterm_while_warming(world: World, start: Start, processes: int, warmup: str) -> None:
    """SIGTERM while a model loads in a thread: what is open is closed; the master exits 0 long before the load ends.

    How long that takes is measured by the drill `sigterm_while_warming`.
    """
    world.model(3600)
    service = start(WEB_CONCURRENCY=processes, WARMUP=warmup)
    service.wait_for_log("opened database")
    service.terminate()
    assert service.wait_exit(15) == 0
    assert world.trace().count("close database") == world.trace().count("open database")


def test_sigterm_right_after_the_fork(world: World, start: Start) -> None:
    """A process that has not replaced its master's signal handlers leaves as well, before it opens anything."""
    service = start(STOPPED_AT_THE_FORK=1)
    assert service.wait_exit() == 0
    assert world.trace() == []


def test_a_closer_that_hangs_is_cut(world: World, start: Start) -> None:
    """A hanging closer is cut by its share of `SHUTDOWN_TIMEOUT`; the others still run, and the exit is 0."""
    world.up("cache-hangs")
    service = start(DRAIN_SECONDS=0.1, SHUTDOWN_TIMEOUT=1).wait_ready()
    service.terminate()
    assert service.wait_exit() == 0
    assert "closing cache: cut after" in service.log
    assert world.trace()[-2:] == ["close model", "close database"]


def test_a_hand_sequenced_lifespan_hangs(world: World, start: Start) -> None:
    """Control of rule 1: in the textbook lifespan a closer that hangs keeps the others from running."""
    world.up("cache-hangs")
    service = start("hand_sequenced", REQUEST_TIMEOUT=0.5, SHUTDOWN_TIMEOUT=0.5, DRAIN_SECONDS=0)
    service.wait_for("/livez", 200)
    service.terminate()
    service.wait_exit()
    assert "close database" not in world.trace()


def test_sigterm_of_one_process_is_the_pods_business_only_when_it_was_the_last(world: World, start: Start) -> None:
    """A process that is asked to leave drains while its siblings keep the pod ready."""
    service = start(WEB_CONCURRENCY=2, DRAIN_SECONDS=1).wait_ready()
    with Watch(service.port, "/readyz") as watch:
        service.process.send_signal(signal.SIGTTOU)
        service.wait_for_log("ready -> draining")
        service.wait_for_log("Worker exiting")
    assert watch.answers == [200]


def test_a_process_without_its_master_leaves(world: World, start: Start) -> None:
    """When the master is killed, its processes drain, close what they opened and go, instead of serving for ever."""
    service = start(DRAIN_SECONDS=0.2).wait_ready()
    [orphan] = service.workers()
    service.process.kill()
    until(lambda: not psutil.pid_exists(orphan), 15, "an end of the orphan", lambda: service.log[-1500:])
    assert world.trace()[-1] == "close database"


def test_an_interrupt_is_a_graceful_stop(world: World, start: Start) -> None:
    """SIGINT to the master alone ends in closed resources, too."""
    service = start(DRAIN_SECONDS=0.2).wait_ready()
    service.process.send_signal(signal.SIGINT)
    assert service.wait_exit() == 0
    assert world.trace()[-1] == "close database"
