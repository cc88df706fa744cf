"""The fault switches, turned in real processes."""

import json
from collections.abc import Callable

import psutil
import pytest

from stack import until
from tests.harness import Gunicorn, Watch, outcome
from tests.harness.sample import Start, World

Faulty = Callable[..., Gunicorn]


@pytest.fixture
def switch(world: World) -> Callable[..., None]:
    """`switch(unready=True)` is the whole truth from now on: what it doesn't name is off."""
    return lambda **faults: write(world, json.dumps(faults))


def write(world: World, text: str) -> None:
    """At once: a file that is empty for a moment makes no sense, either."""
    unfinished = world.folder / "faults.new"
    unfinished.write_text(text)
    unfinished.rename(world.folder / "faults")


@pytest.fixture
def faulty(world: World, start: Start) -> Faulty:
    """The sample with the switches enabled."""

    def begin(**env: object) -> Gunicorn:
        return start(FAULTS_ENABLED=1, FAULTS_FILE=world.folder / "faults", **env)

    return begin


def test_without_faults_enabled_the_file_is_nothing(world: World, start: Start, switch: Callable[..., None]) -> None:
    """A service that was not told to obey switches is ready, and has no resource of that name."""
    switch(unready=True, failing_warmup=True)
    service = start(FAULTS_FILE=world.folder / "faults").wait_ready()
    assert service.get("/readyz/faults").status == 404
    assert service.get("/readyz").status == 200


def test_a_slow_warmup_ends_with_its_switch(faulty: Faulty, switch: Callable[..., None]) -> None:
    """The pod warms, alive and gated, for as long as the switch says."""
    switch(slow_warmup=3600)
    service = faulty()
    service.wait_for("/livez", 200)
    assert (service.get("/startupz").status, service.get("/work").status) == (503, 503)
    switch()
    service.wait_ready()


def test_a_failing_warmup_is_retried(faulty: Faulty, switch: Callable[..., None]) -> None:
    """Each attempt fails, as a dependency's would, until the switch is off."""
    switch(failing_warmup=True)
    service = faulty()
    service.wait_for_log("opening faults failed, attempt 3: a fault switch makes it fail")
    switch()
    service.wait_ready()


def test_a_failing_warmup_ends_the_pod(faulty: Faulty, switch: Callable[..., None]) -> None:
    """Past STARTUP_TIMEOUT it is a start that failed: status 3."""
    switch(failing_warmup=True)
    assert faulty(STARTUP_TIMEOUT=1).wait_exit() == 3


def test_every_process_obeys(faulty: Faulty, switch: Callable[..., None]) -> None:
    """All of three processes say unready, but serve; none is restarted; off is off."""
    service = faulty(WEB_CONCURRENCY=3).wait_ready()
    before = service.workers()
    switch(unready=True)
    until(lambda: service.log.count('{"unready":true}') == 3, 10, "all three to notice", lambda: service.log[-500:])
    assert {outcome(service.port, "/readyz") for _ in range(20)} == {503}
    assert "[-]lifecycle failed: a fault switch makes it fail" in service.get("/readyz?verbose").body.decode()
    assert service.get("/work").status == 200
    switch()
    service.wait_ready()
    assert service.workers() == before


def test_a_blocked_loop_hears_its_off_switch(faulty: Faulty, switch: Callable[..., None]) -> None:
    """The same process that answered nothing, not even `/livez`, answers again."""
    service = faulty().wait_ready()
    before = service.workers()
    switch(blocked_loop=True)
    service.wait_for("/livez", "TimeoutError")
    switch()
    service.wait_for("/livez", 200)
    assert service.workers() == before


def test_a_failing_check_is_of_the_resource(faulty: Faulty, switch: Callable[..., None]) -> None:
    """Readiness shows it under its own name and follows the policy; the probes answer."""
    service = faulty(READINESS_POLICY="coupled").wait_ready()
    with Watch(service.port, "/livez") as watch:
        switch(failing_checks=["database"])
        service.wait_for("/readyz", 503)
        assert service.get("/readyz/database").body.startswith(b"[-]database failed: degraded: a fault switch")
        switch()
        service.wait_ready()
    assert watch.answers == [200]


def test_leaked_memory_is_resident_and_comes_back(faulty: Faulty, switch: Callable[..., None]) -> None:
    """The process grows by so many megabytes, and shrinks again."""
    service = faulty().wait_ready()
    [process] = map(psutil.Process, service.workers())

    def grown() -> int:
        return (process.memory_info().rss - before) // 2**20

    before = process.memory_info().rss
    switch(leaked_mb=100)
    until(lambda: grown() >= 95, 10, "100 MB more", lambda: f"{grown()} MB")
    switch()
    until(lambda: grown() < 50, 10, "most of them back", lambda: f"{grown()} MB")


def test_more_memory_than_there_is_turns_no_other_switch_off(faulty: Faulty, switch: Callable[..., None]) -> None:
    """The log says once that there is none, and the process goes on to obey its file."""
    service = faulty().wait_ready()
    [process] = map(psutil.Process, service.workers())
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + 2**30, psutil.RLIM_INFINITY))
    switch(leaked_mb=8000)
    service.wait_for_log("there is no memory for leaked_mb=8000")
    switch(leaked_mb=8000, unready=True)
    service.wait_for("/readyz", 503)
    assert len(service.error_lines("there is no memory")) == 1


def test_a_file_that_makes_no_sense_switches_everything_off(
    faulty: Faulty, world: World, switch: Callable[..., None]
) -> None:
    """It is named once in the log, and can't keep a fault on."""
    service = faulty().wait_ready()
    switch(unready=True)
    service.wait_for("/readyz", 503)
    write(world, '{"unready": true')
    service.wait_ready()
    switch(unredy=True)
    service.wait_for_log("unredy")
    assert service.get("/readyz").status == 200
    assert len(service.error_lines("no fault is on")) == 2
