"""The queue is bounded in tokens, fair between requests, and left at once."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import pytest

from services.worker.tests.stand_ins import LIMIT, metric, soon
from warmstart.errors import Overloaded, PayloadTooLarge
from worker.admission import CERTAIN, OLDEST, Admission, Ahead, Demand
from worker.jobs import Job
from worker.speed import STALE, Speed
from worker.token_queue import TokenQueue

PATIENT = 1000.0  # seconds that a request has left


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run one scenario on an event loop."""
    asyncio.run(asyncio.wait_for(scenario, LIMIT))


BATCH = 50  # tokens


def queue(limit: int = 1000, tokens_per_second: int = 100, longest: float = PATIENT) -> TokenQueue:
    """An empty queue."""
    return TokenQueue(Admission(Speed(tokens_per_second, 1), limit, BATCH, longest))


def ask(tokens: int, call: int = 0) -> Demand:
    """A request of ten texts."""
    return Demand(10, tokens, call)


def job(*sizes: int) -> Job:
    """A request with texts of these sizes."""
    return Job([[1] * size for size in sizes], "texts", soon(), 384)


def test_requests_take_turns() -> None:
    """Most of a batch is the oldest request's; in the rest a small one that came later gets its turns."""

    async def scenario() -> None:
        waiting, large, small = queue(), job(*[5] * 20), job(5, 5)
        waiting.put(large)
        waiting.put(small)
        assert [item.job for item in await waiting.get(40)] == [large] * 7 + [small]
        assert [item.job for item in await waiting.get(40)] == [large] * 7 + [small]

    run(scenario())


def test_requests_of_one_size_end_in_the_order_of_their_arrival() -> None:
    """Who came first is not held back by everybody who came later: at `OLDEST` of the speed, all the same."""

    async def scenario() -> None:
        waiting, first = queue(), job(*[5] * 12)
        waiting.put(first)
        for _ in range(20):
            waiting.put(job(*[5] * 12))
        for _ in range(4):
            await waiting.get(20)
        assert first.taken == 12

    run(scenario())


def test_what_is_accepted_ends_in_time() -> None:
    """However many come, and however much of the speed that costs, a request that was let in ends within its 10 s."""

    async def scenario() -> None:
        speed, second = 100, 0
        waiting = queue(limit=100_000, tokens_per_second=round(speed / CERTAIN))
        came: dict[Job, int] = {}
        ended: dict[Job, int] = {}
        for second in range(60):
            for _ in range(50):
                with contextlib.suppress(Overloaded), waiting.reserve(ask(60), 10):
                    accepted = job(*[5] * 12)
                    waiting.put(accepted)
                    came[accepted] = second
            items = await waiting.get(speed)
            with waiting.computing(items):
                pass
            ended.update({item.job: second + 1 for item in items if item.index == 11})
        late = [each for each in came if ended.get(each, second + 1) - came[each] > 10]
        assert (len(ended) > 80, late) == (True, [])

    run(scenario())


def test_a_batch_ends_at_the_budget() -> None:
    """Texts are taken while they fit; what doesn't fit is the first of the next batch."""

    async def scenario() -> None:
        waiting, only = queue(), job(4, 4, 4, 9)
        waiting.put(only)
        assert [item.index for item in await waiting.get(10)] == [0, 1]
        assert [item.index for item in await waiting.get(10)] == [2]
        assert [item.index for item in await waiting.get(10)] == [3]
        assert waiting.waiting_tokens == 0

    run(scenario())


def test_a_text_larger_than_the_budget_is_served_alone() -> None:
    """The budget bounds a batch, not a text."""

    async def scenario() -> None:
        waiting = queue()
        waiting.put(job(50, 50))
        assert len(await waiting.get(10)) == 1

    run(scenario())


def test_a_full_queue_refuses_and_says_when_to_return() -> None:
    """Retry-After is the time that the waiting tokens take at the measured speed."""

    async def scenario() -> None:
        waiting = queue(limit=1000, tokens_per_second=100)
        waiting.put(job(*[100] * 9))
        with waiting.reserve(ask(100), PATIENT):
            with pytest.raises(Overloaded) as refused, waiting.reserve(ask(1), PATIENT):
                pass
            assert refused.value.retry_after == pytest.approx(10)

    run(scenario())


def test_what_would_wait_too_long_is_refused() -> None:
    """A queue with room in it still refuses whoever might not be through it, and a batch, in the time that is left."""

    async def scenario() -> None:
        waiting = queue(limit=100_000, tokens_per_second=100)
        waiting.put(job(*[100] * 6))
        with waiting.reserve(ask(150), 12.6):
            pass
        expected = pytest.raises(Overloaded, match=r"it may take 12\.5 s of the 12\.4 s left")
        with expected, waiting.reserve(ask(150), 12.4):
            pass
        assert len(await waiting.get(300)) == 3
        with expected, waiting.reserve(ask(150), 12.4):
            pass

    run(scenario())


def test_room_is_given_back() -> None:
    """A reservation counts while it is held, and no longer when its request fails."""

    async def scenario() -> None:
        waiting = queue()
        with contextlib.suppress(ValueError), waiting.reserve(ask(600), PATIENT):
            assert waiting.waiting_tokens == 600
            raise ValueError("the text can't be tokenized")
        assert waiting.waiting_tokens == 0

    run(scenario())


def test_an_idle_worker_refuses_what_it_can_not_end_in_time() -> None:
    """Nothing waits, and yet a request that may take longer than is left is refused, with what would fit."""

    async def scenario() -> None:
        fits = int(10 * 100 * OLDEST * CERTAIN)
        with queue(longest=20).reserve(ask(fits - 1), 10):
            pass
        message = rf"it may take 10\.2 s of the 10\.0 s left; about {fits} tokens, 9 texts of this size, would fit now"
        with pytest.raises(Overloaded, match=message), queue(longest=20).reserve(ask(fits + 10), 10):
            pass

    run(scenario())


@pytest.mark.parametrize(("tokens", "call"), [(700, 0), (700, 700), (100, 700)])
def test_what_would_never_end_in_time_is_too_large(tokens: int, call: int) -> None:
    """Waiting would not help: 413, with what would fit, for a request and for one that is part of so large a call."""

    async def scenario() -> None:
        refused = metric("worker_refused_total", lane="interactive")
        texts = 600 * 10 // tokens
        message = (
            rf"about 700 tokens .*: it may take 11\.7 s of .* 10\.0 s; about 600 tokens, {texts} texts of this size"
        )
        with pytest.raises(PayloadTooLarge, match=message) as error, queue(longest=10).reserve(ask(tokens, call), 10):
            pass
        assert error.value.code == "too_many_tokens"
        assert metric("worker_refused_total", lane="interactive") - refused == 1

    run(scenario())


def test_more_than_the_queue_holds_is_too_large() -> None:
    """The limit of the queue is named."""

    async def scenario() -> None:
        with pytest.raises(PayloadTooLarge, match="the limit is 1000"), queue().reserve(ask(1001), PATIENT):
            pass

    run(scenario())


def test_the_bound_that_is_named_is_the_one_that_was_reached() -> None:
    """A call that is too slow and larger than the queue, too, is told of the time: by the limit more would fit."""

    async def scenario() -> None:
        waiting = queue(limit=1000, tokens_per_second=100, longest=10)
        with (
            pytest.raises(PayloadTooLarge, match=r"it may take 20\.0 s .* about 600 tokens"),
            waiting.reserve(ask(1200), 10),
        ):
            pass
        with (
            waiting.reserve(ask(500), 10),
            pytest.raises(Overloaded, match=r"it may take 18\.3 s of the 10\.0 s left"),
            waiting.reserve(ask(600), 10),
        ):
            pass

    run(scenario())


def test_an_idle_worker_takes_one_batch_whatever_it_measured() -> None:
    """A speed or a limit that is far too small refuses not everything for ever: by a batch it is measured anew."""

    async def scenario() -> None:
        waiting = queue(limit=10, tokens_per_second=1, longest=1)
        with waiting.reserve(ask(BATCH), 0.001), pytest.raises(Overloaded), waiting.reserve(ask(1), 1):
            pass
        with pytest.raises(PayloadTooLarge), waiting.reserve(ask(BATCH + 1), 1):
            pass

    run(scenario())


def test_what_is_dropped_no_longer_waits() -> None:
    """The rest of a request leaves queue and metric at once, and is counted by text."""

    async def scenario() -> None:
        waiting, leaving, staying = queue(), job(5, 5, 5), job(7)
        waiting.put(leaving)
        waiting.put(staying)
        assert [item.job for item in await waiting.get(5)] == [leaving]
        before = metric("worker_dropped_total", reason="abandoned")
        waiting.drop(leaving, "abandoned")
        assert waiting.waiting_tokens == metric("worker_queue_tokens", lane="interactive") == 7
        assert metric("worker_queue_texts", lane="interactive") == 1
        assert metric("worker_dropped_total", reason="abandoned") - before == 2
        assert [item.job for item in await waiting.get(100)] == [staying]

    run(scenario())


def test_speed_follows_the_latest_batches() -> None:
    """Ten slow ones outweigh a fast one from before."""
    speed = Speed(10_000, 1)
    assert speed.seconds_for(1000) == pytest.approx(0.1)
    for _ in range(50):
        speed.add(100, 1)
    assert speed.seconds_for(1000) == pytest.approx(10, rel=0.1)


def test_a_spell_of_slowness_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds after its last batch a call that fitted at the start fits again; a higher speed is kept."""
    now = [0.0]
    monkeypatch.setattr("worker.speed.monotonic", lambda: now[0])
    speed = Speed(20_000, 2)
    admission, call = Admission(speed, 65_536, 2000, longest=10.0), Demand(texts=256, tokens=58_000)
    for _ in range(25):
        speed.add(2000, 0.25)
    with pytest.raises(PayloadTooLarge):
        admission.check(call, 10, Ahead(0, 0))
    now[0] = STALE
    admission.check(call, 10, Ahead(0, 0))
    speed.add(2000, 0.1)
    assert speed.tokens_in(1) < 11_000
    for _ in range(50):
        speed.add(4000, 0.1)
    now[0] += STALE
    assert speed.tokens_in(1) > 30_000


def test_a_single_pause_of_the_machine_is_not_taken_for_the_engines_speed() -> None:
    """After one batch of 6 s what was in time before still is; two in a row are believed."""
    speed = Speed(20_000, 2)
    admission, call = Admission(speed, 65_536, 2000, longest=10.0), Demand(texts=256, tokens=25_600)
    speed.add(2000, 6)
    admission.check(call, 10, Ahead(0, 0))
    speed.add(2000, 0.2)
    speed.add(2000, 6)
    admission.check(call, 10, Ahead(0, 0))
    speed.add(2000, 6)
    with pytest.raises(PayloadTooLarge):
        admission.check(call, 10, Ahead(0, 0))
