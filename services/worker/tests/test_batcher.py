"""Every caller gets its own rows, or a typed error; nothing is computed for callers that left."""

import asyncio
import json
import random
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from services.worker.tests.stand_ins import (
    LIMIT,
    POISON,
    BrokenExecutor,
    GatedEngine,
    PoisonEngine,
    RecordingEngine,
    batching,
    metric,
    soon,
)
from stack import until_async
from warmstart import request_id
from warmstart.errors import DeadlineExceeded, ServiceError, Unavailable
from warmstart.logs import ConsoleFormatter, JsonFormatter
from worker.batcher import Batcher
from worker.embedding import KNOWN_TEXT
from worker.engines.base import Vectors
from worker.engines.fake import FakeEngine
from worker.speed import STALE, Speed


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run one scenario on an event loop."""
    asyncio.run(asyncio.wait_for(scenario, 2 * LIMIT))


def vectors(texts: list[str]) -> Vectors:
    """What these texts give when nothing else is computed beside them."""
    return FakeEngine().embed(FakeEngine().encode(texts))


async def embed(batcher: Batcher, texts: list[str], deadline: float | None = None) -> Vectors:
    """Submit and wait, as a route does."""
    job = batcher.submit(FakeEngine().encode(texts), "texts", soon() if deadline is None else deadline)
    return await batcher.result(job)


def test_a_text_that_fails_is_logged_under_its_request(caplog: pytest.LogCaptureFixture) -> None:
    """The line that says so has the id of the request that brought the text, not of one in the same batch."""

    async def ask(batcher: Batcher, name: str, text: str) -> None:
        request_id.begin({"headers": [(b"x-request-id", name.encode())]})
        await embed(batcher, [text])

    async def scenario() -> None:
        async with batching(PoisonEngine(), budget=500) as batcher:
            asked = [ask(batcher, *each) for each in [("good", "fine"), ("bad", POISON), ("other", "fine too")]]
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(result, ServiceError) for result in results] == [False, True, False]

    run(scenario())
    [line] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert ConsoleFormatter().format(line).splitlines()[0].endswith("] [bad] worker.batcher: " + line.message)
    assert json.loads(JsonFormatter().format(line))["request_id"] == "bad"


def test_each_of_many_callers_gets_its_own_rows() -> None:
    """200 concurrent requests of up to 40 texts, in batches of 500 tokens: order and identity hold."""
    choose = random.Random(1)

    def text() -> str:
        return " ".join(choose.choices("abcdefghij", k=choose.randint(1, 60)))

    requests = [[text() for _ in range(choose.randint(1, 40))] for _ in range(200)]

    async def scenario() -> None:
        engine = RecordingEngine()
        async with batching(engine, budget=500) as batcher:
            answers = await asyncio.gather(*(embed(batcher, texts) for texts in requests))
            assert batcher.queue.waiting_tokens == 0
        for texts, rows in zip(requests, answers, strict=True):
            np.testing.assert_array_equal(rows, vectors(texts))
        assert max(sum(map(len, batch)) for batch in engine.passes) <= 500

    run(scenario())


def test_an_idle_engine_begins_at_once_and_a_busy_one_collects() -> None:
    """The first text is computed alone; the twenty that came meanwhile are one batch."""

    async def scenario() -> None:
        engine = GatedEngine()
        async with batching(engine) as batcher:
            first = asyncio.create_task(embed(batcher, ["first"]))
            await until_async(lambda: engine.passes, LIMIT, "the first pass")
            others = [asyncio.create_task(embed(batcher, [f"text {n}"])) for n in range(20)]
            await until_async(lambda: batcher.queue.waiting_tokens == 20 * 4, LIMIT, "twenty texts wait")
            engine.gate.set()
            await asyncio.gather(first, *others)
        assert [len(batch) for batch in engine.passes] == [1, 20]

    run(scenario())


def test_a_request_larger_than_the_budget_is_split() -> None:
    """Several passes give one answer in order."""
    texts = [f"{'word ' * (n % 30)}{n}" for n in range(256)]

    async def scenario() -> None:
        engine = RecordingEngine()
        async with batching(engine, budget=200) as batcher:
            np.testing.assert_array_equal(await embed(batcher, texts), vectors(texts))
        assert len(engine.passes) > 20

    run(scenario())


def test_expired_work_leaves_before_inference() -> None:
    """A request whose deadline passes in the queue gets 504, is never computed, and is counted."""

    async def scenario() -> None:
        engine = GatedEngine()
        before = metric("worker_dropped_total", reason="expired")
        async with batching(engine) as batcher:
            first = asyncio.create_task(embed(batcher, ["first"]))
            await until_async(lambda: engine.passes, LIMIT, "the first pass")
            late = asyncio.create_task(embed(batcher, ["late", "later"], deadline=0.0))
            fine = asyncio.create_task(embed(batcher, ["fine"]))
            await until_async(lambda: batcher.queue.waiting_tokens == 9, LIMIT, "three texts wait")
            engine.gate.set()
            with pytest.raises(DeadlineExceeded):
                await late
            await asyncio.gather(first, fine)
        assert engine.embedded == FakeEngine().encode(["first", "fine"])
        assert metric("worker_dropped_total", reason="expired") - before == 2

    run(scenario())


def test_abandoned_work_leaves_before_inference() -> None:
    """A caller that is cancelled frees its tokens at once; the batch loop survives, others are served."""

    async def scenario() -> None:
        engine = GatedEngine()
        before = metric("worker_dropped_total", reason="abandoned")
        async with batching(engine) as batcher:
            computing = asyncio.create_task(embed(batcher, ["computing"]))
            await until_async(lambda: engine.passes, LIMIT, "the first pass")
            waiting = asyncio.create_task(embed(batcher, ["waiting", "waiting"]))
            await until_async(lambda: batcher.queue.waiting_tokens, LIMIT, "two texts wait")
            for task in (computing, waiting):
                task.cancel()
            await asyncio.wait({computing, waiting})
            assert batcher.queue.waiting_tokens == 0
            engine.gate.set()
            np.testing.assert_array_equal(await embed(batcher, ["next"]), vectors(["next"]))
        assert engine.embedded == FakeEngine().encode(["computing", "next"])
        assert metric("worker_dropped_total", reason="abandoned") - before == 2

    run(scenario())


def test_work_abandoned_between_two_passes_of_a_batch_is_not_computed() -> None:
    """Texts that left the queue for a later pass are dropped too when their caller leaves."""

    async def scenario() -> None:
        engine = GatedEngine()
        before = metric("worker_dropped_total", reason="abandoned")
        async with batching(engine) as batcher:
            # Both at once, so that they are one batch; in two passes, for they differ in length.
            short, other = (
                batcher.submit(FakeEngine().encode([text]), "texts", soon()) for text in ("short", "long " * 100)
            )
            long = asyncio.create_task(batcher.result(other))
            await until_async(
                lambda: engine.passes and not batcher.queue.waiting_tokens, LIMIT, "the short text's pass"
            )
            long.cancel()
            await asyncio.wait({long})
            engine.gate.set()
            await batcher.result(short)
            await until_async(
                lambda: metric("worker_dropped_total", reason="abandoned") > before, LIMIT, "it was dropped"
            )
        assert engine.embedded == FakeEngine().encode(["short"])

    run(scenario())


def test_a_bad_input_fails_alone() -> None:
    """Its request gets a typed error naming the text; the others of the batch get their rows."""

    async def scenario() -> None:
        engine = PoisonEngine()
        async with batching(engine) as batcher:
            requests = [["a", "b"], ["c", POISON, "d"], ["e"]]
            good, bad, other = await asyncio.gather(
                *(embed(batcher, texts) for texts in requests), return_exceptions=True
            )
        assert isinstance(good, np.ndarray)
        assert isinstance(other, np.ndarray)
        np.testing.assert_array_equal(good, vectors(["a", "b"]))
        np.testing.assert_array_equal(other, vectors(["e"]))
        assert isinstance(bad, ServiceError)
        assert (bad.status, bad.code, bad.param) == (500, "inference_failed", "texts.1")

    run(scenario())


def test_one_bad_input_costs_few_passes(caplog: pytest.LogCaptureFixture) -> None:
    """Among 64 texts of as many requests it is found by halving: 14 passes, one of a known text, and one warning."""

    async def scenario() -> None:
        engine = PoisonEngine()
        async with batching(engine) as batcher:
            asked = [embed(batcher, [POISON if n == 41 else f"text{n}"]) for n in range(64)]
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert [n for n, result in enumerate(results) if isinstance(result, ServiceError)] == [41]
        assert [len(batch) for batch in engine.passes[:4]] == [64, 1, 32, 32]
        assert len(engine.passes) == 14

    run(scenario())
    said = [record.levelname for record in caplog.records if record.name.startswith("worker.")]
    assert said == ["WARNING", "ERROR"]


def test_a_broken_engine_fails_a_batch_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """A known text fails, too: two passes and one line for 64 texts, all counted, and a 503 that another may mend."""

    class Broken(RecordingEngine):
        def embed(self, batch: Any) -> Vectors:
            super().embed(batch)
            raise RuntimeError("broken")

    async def scenario() -> None:
        engine, failed = Broken(), metric("worker_failed_total")
        async with batching(engine) as batcher:
            asked = [embed(batcher, [f"text{n}"]) for n in range(64)]
            results = await asyncio.gather(*asked, return_exceptions=True)
            assert [len(batch) for batch in engine.passes] == [64, 1]
            with pytest.raises(Unavailable, match="forward passes fail: broken"):
                batcher.check()
        assert [type(result) for result in results] == [Unavailable] * 64
        assert metric("worker_failed_total") == failed + 64

    run(scenario())
    said = [record.levelname for record in caplog.records if record.name.startswith("worker.")]
    assert said == ["ERROR"]


def test_the_rest_of_a_failed_request_is_not_computed() -> None:
    """What still waits of it leaves the queue, and is counted."""

    async def scenario() -> None:
        engine = PoisonEngine()
        before = metric("worker_dropped_total", reason="failed")
        async with batching(engine, budget=3) as batcher:
            with pytest.raises(ServiceError):
                await embed(batcher, [POISON, "b", "c"])
            assert batcher.queue.waiting_tokens == 0
        assert engine.embedded == FakeEngine().encode([POISON, KNOWN_TEXT])
        assert metric("worker_dropped_total", reason="failed") - before == 2

    run(scenario())


def test_a_vector_that_is_not_finite_is_an_error() -> None:
    """NaN never reaches a client; nor is a text blamed, where the engine gives it for a known one too."""

    class Nan(FakeEngine):
        def embed(self, batch: Any) -> Vectors:
            return super().embed(batch) * np.float32("nan")

    async def scenario() -> None:
        async with batching(Nan()) as batcher:
            with pytest.raises(Unavailable, match="forward passes fail: the engine gave no finite vector"):
                await embed(batcher, ["a"])

    run(scenario())


def test_the_end_of_the_loop_fails_all_that_wait() -> None:
    """Whether computing, waiting or new: a caller gets a typed 503, and none hangs."""

    async def scenario() -> None:
        engine = GatedEngine()
        async with batching(engine) as batcher:
            callers = [asyncio.create_task(embed(batcher, ["computing"]))]
            await until_async(lambda: engine.passes, LIMIT, "the first pass")
            callers.append(asyncio.create_task(embed(batcher, ["waiting"])))
            await until_async(lambda: batcher.queue.waiting_tokens, LIMIT, "a text waits")
        answers = await asyncio.gather(*callers, embed(batcher, ["new"]), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable] * 3
        engine.gate.set()

    run(scenario())


def test_an_executor_that_takes_no_work_ends_the_loop() -> None:
    """It is not taken for the fault of an input, and the caller is told."""

    async def scenario() -> None:
        async with batching(FakeEngine(), executor=BrokenExecutor()) as batcher:
            with pytest.raises(Unavailable):
                await embed(batcher, ["a"])
            with pytest.raises(Unavailable):
                batcher.check()

    run(scenario())


def test_what_is_computed_is_counted() -> None:
    """Tokens are counted without padding, padding beside them."""

    async def scenario() -> None:
        before = [metric(f"worker_{name}_total") for name in ("tokens", "padding_tokens")]
        async with batching(FakeEngine()) as batcher:
            await embed(batcher, ["one", "one two three"])
        after = [metric(f"worker_{name}_total") for name in ("tokens", "padding_tokens")]
        assert [now - then for now, then in zip(after, before, strict=True)] == [8, 2]

    run(scenario())


def test_small_batches_say_nothing_about_a_full_queue() -> None:
    """Their fixed costs would make it look endless; a batch that is half full says how fast it empties."""
    speed = Speed(10**9, 1)

    async def scenario() -> None:
        async with batching(FakeEngine(), budget=100, speed=speed) as batcher:
            for _ in range(10):
                await embed(batcher, ["two words"])
            assert speed.seconds_for(10**9) == 1
            await embed(batcher, ["word"] * 100)
            assert speed.seconds_for(10**9) > 1

    run(scenario())


def test_small_batches_keep_no_spell_of_slowness_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is forgotten ten seconds after the last full batch, though small ones come that are a little faster."""
    now = [0.0]
    monkeypatch.setattr("worker.speed.monotonic", lambda: now[0])
    speed = Speed(10_000, 1)

    async def scenario() -> None:
        async with batching(FakeEngine(), budget=1000, speed=speed) as batcher:
            for _ in range(50):
                batcher._learn(1000, 1)
            while now[0] < STALE:
                assert speed.tokens_in(1) < 2000
                now[0] += STALE / 10
                batcher._learn(10, 0.9 * speed.seconds_for(10))
            assert speed.tokens_in(1) >= 10_000

    run(scenario())


def test_a_speed_that_was_underrated_is_corrected_by_any_batch() -> None:
    """After a pause of the machine nothing but small requests may be accepted: they are enough to find out."""
    speed = Speed(1, 1000)

    async def scenario() -> None:
        async with batching(FakeEngine(), speed=speed) as batcher:
            for _ in range(50):
                await embed(batcher, ["two words"])
            assert speed.seconds_for(1) < 10

    run(scenario())
