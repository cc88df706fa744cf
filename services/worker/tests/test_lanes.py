"""Interactive texts are computed before bulk texts, which are never starved, and neither lane closes the other."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.lane import Lane
from services.worker.tests.stand_ins import batching
from warmstart.errors import Overloaded
from worker.admission import CERTAIN, OLDEST, Admission, Demand
from worker.engines.base import TokenIds, Vectors
from worker.engines.fake import FakeEngine
from worker.jobs import Job
from worker.lane_queue import LaneQueue
from worker.speed import Speed
from worker.token_queue import TokenQueue
from worker.turns import AGED, WEIGHT, WINDOW, Turns

INTERACTIVE, BULK = Lane.INTERACTIVE, Lane.BULK
SPEED = 100  # tokens per second
BUDGET = 50  # tokens of a batch
LONGEST = 30  # tokens of a text
TEXT = 10  # tokens of a bulk text
OLDER = int(BUDGET * OLDEST) // TEXT * TEXT  # tokens of a bulk batch for the oldest requests: whole texts
NEVER = 1e9  # a deadline


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time only tests change."""

    now = 0.0

    def time(self) -> float:
        """Seconds."""
        return self.now


def clock() -> Clock:
    """The loop that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Clock)
    return loop


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run one scenario on a clock."""
    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(scenario)


class Here(Executor):
    """Runs each call at once, in the thread of the event loop."""

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> "Future[Any]":
        """Run it."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@dataclass(frozen=True)
class Pass:
    """What was computed from `began` on: the number of each text's request."""

    began: float
    ended: float
    requests: list[int]
    tokens: int


@dataclass
class Timed(FakeEngine):
    """Computes `SPEED` tokens a second of the clock after `fixed` seconds, and lets `arrive` happen after each pass."""

    fixed: float
    arrive: Callable[[], None] = lambda: None
    log: list[Pass] = field(default_factory=list)

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """Note the pass. The tokens of a text are the number of its request."""
        began, tokens = clock().now, sum(map(len, batch))
        clock().now += self.fixed + tokens / SPEED
        self.log.append(Pass(began, clock().now, [ids[0] for ids in batch], tokens))
        self.arrive()
        return np.zeros((len(batch), self.dimensions), np.float32)


@dataclass(frozen=True)
class Arrival:
    """A request, so many seconds after the one before; its texts have so many tokens each."""

    gap: float
    lane: Lane
    tokens: int
    texts: int = 1


async def serve(arrivals: list[Arrival], fixed: float = 0.0) -> tuple[list[Job], list[Pass]]:
    """The jobs of these arrivals, in their order, and all passes."""
    times = np.cumsum([each.gap for each in arrivals])
    jobs: list[Job] = []

    def arrive() -> None:
        while len(jobs) < len(arrivals) and times[len(jobs)] <= clock().now:
            each = arrivals[len(jobs)]
            jobs.append(batcher.submit([[len(jobs)] * each.tokens] * each.texts, "texts", NEVER, each.lane))

    engine = Timed(fixed, arrive)
    async with batching(engine, budget=BUDGET, executor=Here()) as batcher:
        while len(jobs) < len(arrivals):
            clock().now = max(clock().now, times[len(jobs)])
            arrive()
            while waiting := [job.future for job in jobs if not job.future.done()]:
                await asyncio.wait(waiting)
    return jobs, engine.log


def traffic(draw: random.Random, load: float) -> Iterator[Arrival]:
    """200 requests that need `load` times the speed. All bulk texts have one size, so that a batch is one pass."""
    share = draw.random()
    for _ in range(200):
        lane, tokens, texts = INTERACTIVE, draw.randint(1, LONGEST), 1
        if draw.random() > share:
            lane, tokens, texts = BULK, TEXT, draw.choice([1, 1, 1, 5, 30])
        yield Arrival(draw.expovariate(load * SPEED / (tokens * texts)), lane, tokens, texts)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.3, 5))
def test_who_goes_first(seed: int, load: float) -> None:
    """Bulk overtakes interactive texts when it has aged, and ends within a bound."""
    arrivals = list(traffic(random.Random(seed), load))

    async def scenario() -> None:
        jobs, log = await serve(arrivals)
        passes = {number: each for each in log for number in each.requests}  # the last of each request
        assert sorted(passes) == list(range(len(jobs)))
        bulk = [each for each in log if jobs[each.requests[0]].lane is BULK]
        for each in bulk:
            waited = each.began - min(jobs[number].arrived for number in each.requests)
            overtaken = [job for number, job in enumerate(jobs) if job.arrived <= each.began < passes[number].began]
            assert waited >= AGED or not any(job.lane is INTERACTIVE for job in overtaken)
        texts = [(each.began, number) for each in bulk for number in each.requests]
        for number, job in enumerate(jobs):
            if job.lane is BULK:
                older = TEXT * sum(began >= job.arrived and n <= number for began, n in texts)
                tokens = ceil(older / OLDER) * BUDGET + BUDGET
                most = 3 * BUDGET + (1 + WEIGHT) * tokens
                assert passes[number].ended - job.arrived <= AGED + most / SPEED + 1e-6

    run(scenario())


@settings(deadline=None)
@given(st.lists(st.integers(1, LONGEST), max_size=40), st.integers(1, 2 * BUDGET))
def test_a_lane_is_first_in_first_out(sizes: list[int], budget: int) -> None:
    """Requests of one text are taken in the order of their arrival, whatever their sizes."""

    async def scenario() -> None:
        lane = LaneQueue(BULK)
        jobs = [Job([[1] * size], "texts", NEVER, 384, BULK) for size in sizes]
        for job in jobs:
            lane.put(job)
        taken = []
        while items := lane.take(budget):
            taken += [item.job for item in items]
        assert (taken, lane.tokens) == (jobs, 0)

    run(scenario())


def test_interactive_texts_go_between_the_passes_of_a_bulk_batch() -> None:
    """A bulk batch of two passes is under way when a search comes: the search is next."""

    async def scenario() -> None:
        large = [Arrival(0.0, BULK, 5), Arrival(0.0, BULK, 45), Arrival(0.01, INTERACTIVE, 3)]
        _, log = await serve(large)
        assert [each.requests for each in log] == [[0], [2], [1]]

    run(scenario())


def test_a_bulk_batch_is_as_old_as_its_oldest_request() -> None:
    """While more interactive texts come than can be computed, it begins as soon as that request is `AGED`."""

    async def scenario() -> None:
        running = [Arrival(0.0, INTERACTIVE, 5), Arrival(0.0, INTERACTIVE, 45)]  # two passes
        bulk = [Arrival(0.04, BULK, 10), Arrival(0.3, BULK, 10)]
        jobs, log = await serve([*running, *bulk, *[Arrival(0.09, INTERACTIVE, 10)] * 30])
        [batch] = [each for each in log if 2 in each.requests]
        assert batch.requests == [2, 3]
        assert 0 <= batch.began - jobs[2].arrived - AGED <= 2 * 10 / SPEED

    run(scenario())


@pytest.mark.parametrize("fixed", [0.0, 0.2])
def test_bulk_has_a_quarter_of_the_time_at_least(fixed: float) -> None:
    """While more comes than can be computed, in both lanes, that is its share, also if the cost of a pass is fixed."""

    async def scenario() -> None:
        both = [Arrival(0.01, BULK, 10), Arrival(0.0, INTERACTIVE, 7)]
        jobs, log = await serve(both * 400, fixed)
        [*_, last] = [number for number, each in enumerate(log) if jobs[each.requests[0]].lane is INTERACTIVE]
        took = {INTERACTIVE: 0.0, BULK: 0.0}
        for each in log[:last]:
            if each.began > 5:
                took[jobs[each.requests[0]].lane] += each.ended - each.began
        assert took[INTERACTIVE] / took[BULK] == pytest.approx(WEIGHT, rel=0.1)

    run(scenario())


def test_texts_that_go_before_a_young_bulk_batch_are_not_charged() -> None:
    """Their time is not taken off what interactive texts have between aged passes."""
    turns = Turns()
    turns.interactive_took(0.9, 0.9, since=0.0)
    turns.bulk_took(0.1)
    assert not turns.bulk_is_next(0.0, 2.0)
    turns.interactive_took(0.4, 2.4, since=0.0)
    assert turns.bulk_is_next(0.0, 2.4)


def queue() -> TokenQueue:
    """A queue for 1,000 tokens."""
    return TokenQueue(Admission(Speed(SPEED, 1), 1000, BUDGET, 1000.0))


def job(lane: Lane, *sizes: int) -> Job:
    """A request."""
    return Job([[1] * size for size in sizes], "texts", NEVER, 384, lane)


def ask(waiting: TokenQueue, lane: Lane, tokens: int, seconds: float = 10.0) -> None:
    """Ask for room for one text. Raises what the queue raises."""
    with waiting.reserve(Demand(1, tokens, 0, lane), seconds):
        pass


IN_TIME = round(10 * SPEED * OLDEST * CERTAIN)  # tokens that may wait when a request has ten seconds


def test_a_full_bulk_lane_refuses_no_interactive_request() -> None:
    """What interactive requests wait for are interactive tokens, at three quarters of the speed while bulk waits."""

    async def scenario() -> None:
        waiting = queue()
        waiting.put(job(BULK, *[10] * 100))
        with pytest.raises(Overloaded, match="1000 tokens wait already; the limit is 1000"):
            ask(waiting, BULK, 10, 1000.0)
        with waiting.reserve(Demand(1, IN_TIME * 3 // 4), 10.0), pytest.raises(Overloaded, match="450 tokens wait"):
            ask(waiting, INTERACTIVE, 1)

    run(scenario())


def test_a_bulk_request_waits_for_all() -> None:
    """It is refused when what waits in both lanes leaves no time for it."""

    async def scenario() -> None:
        waiting = queue()
        waiting.put(job(INTERACTIVE, *[10] * 30))
        waiting.put(job(BULK, *[10] * 10))
        ask(waiting, BULK, IN_TIME - 400)
        with pytest.raises(Overloaded, match="400 tokens wait already"):
            ask(waiting, BULK, IN_TIME - 399)

    run(scenario())


def test_bulk_can_count_on_what_interactive_texts_leave() -> None:
    """While they take all, that is a quarter of the speed; when they have stopped, it is all of it again."""

    async def scenario() -> None:
        waiting = queue()
        for _ in range(200):
            clock().now += 0.1
            waiting.turns.interactive_took(0.1, clock().now)
        waiting.put(job(BULK, 10))
        ask(waiting, BULK, IN_TIME // 4 - 10)
        with pytest.raises(Overloaded):
            ask(waiting, BULK, IN_TIME // 4 - 9)
        clock().now += 10 * WINDOW
        ask(waiting, BULK, IN_TIME - 20)

    run(scenario())


def test_of_a_bulk_batch_only_the_pass_under_way_delays_interactive_requests() -> None:
    """It takes its time at the full speed; what is left is shared with the passes to come, and with none is not."""

    async def scenario() -> None:
        waiting = queue()
        waiting.put(job(BULK, *[10] * 5))
        items = await waiting.get(BUDGET)
        for batch, fits in (items[:1], (IN_TIME - 10) * 3 // 4), (items[1:], IN_TIME - 40):
            with waiting.computing(batch):
                ask(waiting, INTERACTIVE, fits)
                with pytest.raises(Overloaded):
                    ask(waiting, INTERACTIVE, fits + 1)
        ask(waiting, INTERACTIVE, IN_TIME)

    run(scenario())


def test_a_search_beside_a_bulk_batch_is_let_in() -> None:
    """One waits already; neither passes that are over nor those to come refuse another."""

    async def scenario() -> None:
        seconds = {5: 0.5, 45: 0.95}  # that a search has left in the bulk pass of so many tokens

        def arrive() -> None:
            if left := seconds.get(engine.log[-1].tokens):
                searches.append(batcher.submit([[2] * 3], "texts", NEVER))
                ask(batcher.queue, INTERACTIVE, 8, left)

        searches: list[Job] = []
        engine = Timed(0.0, arrive)
        async with batching(engine, budget=BUDGET, executor=Here(), speed=Speed(SPEED, 1)) as batcher:
            bulk = batcher.submit([[1] * 5, [1] * 45], "texts", NEVER, BULK)
            await bulk.future
            await asyncio.gather(*[each.future for each in searches])
        assert [each.tokens for each in engine.log] == [5, 3, 45, 3]

    run(scenario())
