"""The garbage collector of a process that starts, and of one that serves."""

import gc

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.harness.lifespan import lifespan_of
from tests.harness.sample import Start, World
from warmstart import ServiceSettings
from warmstart.pod import garbage

DEFAULT = 700  # Python's own, before 3.13


def test_a_starting_process_collects_nothing(world: World, start: Start) -> None:
    """While a process warms, all that it has made may still be used, and is not looked at."""
    world.down("database")
    service = start("no_gate")
    service.wait_for_log("opening database failed")
    before = service.get("/collector").json()
    assert before["frozen"] < 1000  # Python 3.12 begins with some hundred
    assert before["threshold"] == garbage.START
    assert service.get(f"/collector?cycles={2 * garbage.SERVE}").json() == before


def test_a_ready_process_never_looks_at_what_its_start_made(world: World, start: Start) -> None:
    """The modules are frozen; cycles that requests leave are found, though later than by default."""
    service = start().wait_ready()
    ready = service.get("/collector").json()
    assert ready["frozen"] > 20_000
    assert ready["threshold"] == garbage.SERVE > DEFAULT
    later = service.get(f"/collector?cycles={2 * garbage.SERVE}").json()
    assert later["collected"] - ready["collected"] >= garbage.SERVE


def test_a_process_that_is_not_ours_keeps_its_collector() -> None:
    """Under a test client, or another server, the lifecycle leaves the collector alone."""
    before = gc.get_threshold(), gc.get_freeze_count()

    with TestClient(FastAPI(lifespan=lifespan_of(ServiceSettings()))):
        assert (gc.get_threshold(), gc.get_freeze_count()) == before
