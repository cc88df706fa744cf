"""After readiness the engine compiles for further lengths, one now and then, whether or not texts wait."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from services.worker.tests.stand_ins import LIMIT, RecordingEngine, batching, soon
from stack import until, until_async
from worker import batcher as batching_module
from worker.batcher import Batcher
from worker.engines.base import Vectors
from worker.engines.fake import FakeEngine
from worker.executor import DaemonExecutor


class Steps:
    """Passes that add a length: they remember the threads that ran them, and wait until they may go on."""

    def __init__(self, count: int, failing: int = -1) -> None:
        self.ran: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.left = [lambda number=number: self._run(number) for number in range(count)]
        self._failing = failing

    def _run(self, number: int) -> None:
        self.ran.append(threading.current_thread().name)
        assert self.gate.wait(LIMIT), "the test never opened the gate"
        if number == self._failing:
            raise RuntimeError("no kernel for this length")


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run one scenario on an event loop."""
    asyncio.run(asyncio.wait_for(scenario, 2 * LIMIT))


async def ask(batcher: Batcher, text: str) -> Vectors:
    """Submit one text and wait, as a route does."""
    return await batcher.result(batcher.submit(FakeEngine().encode([text]), "texts", soon()))


def test_an_idle_engine_runs_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, on the thread that embeds; a text is embedded afterwards as before."""
    monkeypatch.setattr(batching_module, "EVERY", 0.001)

    async def scenario() -> None:
        steps = Steps(3)
        async with batching(FakeEngine(), later=steps.left) as batcher:
            await until_async(lambda: len(steps.ran) == 3, LIMIT, "all passes")
            assert set(steps.ran) == {"inference"}
            np.testing.assert_array_equal(await ask(batcher, "a"), FakeEngine().embed(FakeEngine().encode(["a"])))

    run(scenario())


def test_nothing_is_run_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a pass is due, none is run that nobody asked for, however often the engine is idle."""
    monkeypatch.setattr(batching_module, "EVERY", 1e9)

    async def scenario() -> None:
        steps = Steps(3)
        async with batching(FakeEngine(), later=steps.left) as batcher:
            for _ in range(20):
                await ask(batcher, "a")
            assert steps.ran == []

    run(scenario())


def test_under_load_they_are_run_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that always has texts waiting takes time for a pass now and then, or it would pad too much for ever."""
    monkeypatch.setattr(batching_module, "EVERY", 0.0)

    async def scenario() -> None:
        steps, engine = Steps(3), RecordingEngine()
        async with batching(engine, later=steps.left, budget=1) as batcher:
            await asyncio.gather(*[ask(batcher, "a") for _ in range(5)])
            assert len(steps.ran) == 3
            assert len(engine.passes) == 5

    run(scenario())


def test_texts_come_between_two_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """When one is due, one is run, and the next only when its own time has come."""
    monkeypatch.setattr(batching_module, "EVERY", 1e9)

    async def scenario() -> None:
        steps = Steps(3)
        async with batching(FakeEngine(), later=steps.left) as batcher:
            await ask(batcher, "a")
            batcher._due = 0.0
            for _ in range(5):
                await ask(batcher, "a")
            assert len(steps.ran) == 1

    run(scenario())


def test_a_length_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, the other lengths follow, and texts are embedded."""
    monkeypatch.setattr(batching_module, "EVERY", 0.001)

    async def scenario() -> None:
        steps, engine = Steps(3, failing=0), RecordingEngine()
        async with batching(engine, later=steps.left) as batcher:
            await until_async(lambda: len(steps.ran) == 3, LIMIT, "all passes")
            assert (await ask(batcher, "a")).shape == (1, engine.dimensions)

    run(scenario())
    assert "no kernel for this length" in caplog.text


def test_a_stop_waits_for_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batcher that is cancelled while the engine compiles ends at once, and its thread after that pass."""
    monkeypatch.setattr(batching_module, "EVERY", 0.001)
    steps, executor = Steps(3), DaemonExecutor("inference")
    steps.gate.clear()

    async def scenario() -> None:
        async with batching(FakeEngine(), later=steps.left, executor=executor):
            await until_async(lambda: len(steps.ran) == 1, LIMIT, "the first pass")

    run(scenario())
    assert not steps.gate.is_set()
    steps.gate.set()
    until(lambda: not executor._thread.is_alive(), LIMIT, "the thread to end")
    assert len(steps.ran) == 1
