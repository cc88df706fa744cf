"""docs/lifecycle.md, rules 2 to 4: warming, the gate, required and optional resources."""

import http.client
import os
import re
import signal

import pytest

from stack import until
from stack.http import exchange
from tests.harness import Gunicorn, Watch, outcome
from tests.harness.sample import Start, World


def state(service: Gunicorn, name: str) -> dict[str, object]:
    """One resource's line of `/startupz`."""
    resources = service.get("/startupz").json()["resources"]
    return next(each for each in resources if each["name"] == name)


def test_probes_answer_while_the_service_warms(world: World, start: Start) -> None:
    """During warm-up `/livez` is 200, `/startupz` reports every resource, any other route is a 503 to retry."""
    world.down("database")
    service = start()
    service.wait_for("/livez", 200)
    service.wait_for_log("opening database failed, attempt 2")
    report = service.get("/startupz")
    assert (report.status, report.json()["phase"]) == (503, "warming")
    states = {each["name"]: each["state"] for each in report.json()["resources"]}
    assert states == {"database": "retrying", "cache": "ready", "model": "pending"}
    database = state(service, "database")
    assert database["attempts"] >= 2  # type: ignore[operator]
    assert database["elapsed_seconds"] > 0  # type: ignore[operator]
    assert database["error"] == "database is down"
    refused = service.get("/work")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"]["code"] == "not_ready"
    assert service.get("/metrics").status == 200


def test_without_the_gate_a_cold_process_answers(world: World, start: Start) -> None:
    """Control of rule 4: with the gate gone, a request reaches a process that is not warm."""
    world.down("database")
    service = start("no_gate")
    service.wait_for_log("opening database failed")
    assert service.get("/work").status == 200


def readiness_changes(service: Gunicorn) -> list[int | str]:
    """The changes of `/readyz` from the start until well after the slowest process was ready."""
    with Watch(service.port, "/readyz") as watch:
        processes = int(service.env.get("WEB_CONCURRENCY", "1"))
        ready = "-> ready"
        until(lambda: service.log.count(ready) == processes, 30, "all processes ready", lambda: service.log[-1500:])
        watch.go_on(20)
    return watch.answers


@pytest.mark.parametrize("processes", [1, 3])
def test_first_readiness_is_one_change(world: World, start: Start, processes: int) -> None:
    """`/readyz`, asked every 20 ms on fresh connections, turns from 503 to 200 once, with one process and three."""
    world.model(1)
    assert readiness_changes(start(WEB_CONCURRENCY=processes, STAGGER=0.5)) == [503, 200]


@pytest.mark.parametrize(("control", "status"), [(None, 503), ("no_board", 200)])
def test_one_ready_process_is_no_ready_pod(world: World, start: Start, control: str | None, status: int) -> None:
    """The first ready process of three answers 503 for its pod; without the board it would answer for itself."""
    service = start(control, WEB_CONCURRENCY=3, STAGGER=2)
    service.wait_for_log("-> ready")
    ready = re.findall(r"\[(\d+)\] warmstart.lifecycle: warming -> ready", service.log)
    others = [pid for pid in service.workers() if str(pid) not in ready]
    assert (len(ready), len(others)) == (1, 2)
    for pid in others:  # so that the ready one answers
        os.kill(pid, signal.SIGSTOP)
    assert service.get("/readyz").status == status
    for pid in others:
        os.kill(pid, signal.SIGCONT)


def test_a_late_dependency_needs_no_restart(world: World, start: Start) -> None:
    """A required dependency that comes late makes the same process ready; attempts have risen meanwhile."""
    world.down("database")
    service = start()
    service.wait_for_log("opening database failed, attempt 3")
    before = service.workers()
    world.up("database")
    service.wait_ready()
    assert service.workers() == before
    assert state(service, "database")["attempts"] >= 4  # type: ignore[operator]


def test_a_resource_that_proves_nothing_is_ready_too_soon(world: World, start: Start) -> None:
    """Control of rule 2: an opener that only makes an object lets the service be ready without its database."""
    world.down("database")
    start("unproven").wait_ready()


def test_an_optional_dependency_is_degraded_and_heals(world: World, start: Start) -> None:
    """Without its optional dependency the service is ready and says so; the dependency is opened when it comes."""
    world.down("cache")
    service = start().wait_ready()
    assert state(service, "cache")["state"] == "degraded"
    assert "[-]cache failed: degraded: cache is down (not gating)" in service.get("/readyz?verbose").body.decode()
    world.up("cache")
    until(lambda: state(service, "cache")["state"] == "ready", 10, "a healed cache", lambda: state(service, "cache"))


def test_a_required_cache_keeps_the_service_from_starting(world: World, start: Start) -> None:
    """Control of rule 3: were the optional dependency required, its absence would end the service."""
    world.down("cache")
    service = start("all_required", STARTUP_TIMEOUT=1)
    assert service.wait_exit() == 3


def test_a_blocking_load_silences_the_probes(world: World, start: Start) -> None:
    """Control of rule 8: a model loaded on the event loop keeps `/livez` from answering."""
    world.model(3)
    service = start("blocking_load")
    service.wait_for("/livez", 200)
    service.wait_for("/livez", "TimeoutError", timeout=5)


def test_warmup_blocking_is_the_textbook(world: World, start: Start) -> None:
    """With `WARMUP=blocking` no probe is answered before the service is ready."""
    world.model(1)
    service = start(WARMUP="blocking")
    service.wait_for_log("starting -> warming")
    with Watch(service.port, "/readyz", timeout=10) as watch:
        service.wait_ready()
        watch.go_on()
    assert watch.answers == [200]


@pytest.mark.parametrize(("control", "cold"), [(None, set()), ("cold_replacement", {503})])
def test_a_killed_process_is_replaced_behind_its_siblings(
    world: World, start: Start, control: str | None, cold: set[int]
) -> None:
    """When one of three processes is killed, no request reaches a cold one; an early binding would send some there."""
    world.model(1)
    service = start(control, WEB_CONCURRENCY=3).wait_ready()
    victim = service.workers()[0]
    seen: set[int | str] = set()
    with Watch(service.port, "/readyz") as readiness:
        os.kill(victim, signal.SIGKILL)

        def replaced() -> bool:
            seen.update(outcome(service.port, "/work") for _ in range(20))
            return service.log.count("-> ready") == 4

        until(replaced, 20, "a ready replacement", lambda: service.log[-1500:])
    # A connection that the killed process had accepted dies with it.
    assert {status for status in seen if isinstance(status, int)} == {200} | cold
    assert readiness.answers == [200]


def test_the_last_ready_sibling_dies(world: World, start: Start) -> None:
    """When the last ready process dies while its siblings warm, the siblings answer probes from behind the gate."""
    world.model(0.5)
    service = start(WEB_CONCURRENCY=2).wait_ready()
    world.down("database")
    for victim in service.workers():
        os.kill(victim, signal.SIGKILL)
    service.wait_for("/readyz", 503)
    assert service.get("/startupz").status == 200
    assert service.get("/work").status == 503
    world.up("database")
    service.wait_ready()


@pytest.mark.parametrize(("needed", "changes"), [(1, [200]), (3, [200, 503, 200])])
def test_min_ready_processes(world: World, start: Start, needed: int, changes: list[int]) -> None:
    """One of three processes gone is no dip by default, and one dip with `MIN_READY_PROCESSES=3`."""
    world.model(0.5)
    service = start(WEB_CONCURRENCY=3, MIN_READY_PROCESSES=needed).wait_ready()
    with Watch(service.port, "/readyz") as watch:
        os.kill(service.workers()[0], signal.SIGKILL)
        until(lambda: service.log.count("-> ready") == 4, 20, "a replacement", lambda: service.log[-1500:])
        service.wait_ready()
        watch.go_on(20)
    assert watch.answers == changes


def test_a_reload_shows_nobody_a_cold_process(world: World, start: Start) -> None:
    """At SIGHUP the old processes serve until the new ones are ready, on one board, and only then drain."""
    world.model(2)  # longer than the drain
    service = start(WEB_CONCURRENCY=2).wait_ready()
    before = set(service.workers())
    with Watch(service.port, "/readyz") as readiness, Watch(service.port, "/work") as work:
        service.process.send_signal(signal.SIGHUP)
        until(lambda: not before & set(service.workers()), 20, "new processes", service.workers)
        readiness.go_on(20)

    def reported() -> set[int]:
        return {each["pid"] for each in service.get("/startupz").json()["processes"]}

    until(lambda: reported() == set(service.workers()), 10, "a report of the new processes alone", reported)
    assert (readiness.answers, work.answers) == ([200], [200])


@pytest.mark.parametrize("host", ["0.0.0.0,::", "127.0.0.1,::1", "::"])
def test_both_families_are_served(world: World, start: Start, host: str) -> None:
    """Probes and requests, over IPv4 and IPv6 on one port, also after a reload."""
    service = start(HOST=host).wait_ready()
    service.process.send_signal(signal.SIGHUP)
    service.wait_for_log("Handling signal: hup")
    until(lambda: service.log.count("-> ready") == 2, 20, "a new process", lambda: service.log[-1500:])
    for address in ("127.0.0.1", "::1"):
        connection = http.client.HTTPConnection(address, service.port, timeout=5)
        assert [exchange(connection, path).status for path in ("/readyz", "/work")] == [200, 200]
