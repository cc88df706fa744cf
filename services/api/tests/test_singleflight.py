"""Concurrent calls for the same keys do the work once."""

import asyncio
import gc
from collections.abc import Mapping, Sequence

import pytest

from api.singleflight import Flight, SingleFlight
from stack import until_async

pytestmark = pytest.mark.anyio


def of_the_caller(error: BaseException, _: Sequence[str], __: int) -> bool:
    """A ValueError is about the call that raised it."""
    return isinstance(error, ValueError)


class Work:
    """Work that ends when it is told to, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, flight: Flight[str, str]) -> Mapping[str, str]:
        self.asked.append(flight.keys)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            error, self.error = self.error, None
            raise error
        return {key: key.upper() for key in flight.keys}


async def test_concurrent_calls_share_work() -> None:
    """A key that another call works on is waited for, others are worked on; each call gets all of its own."""
    flight, work = SingleFlight[str, str](), Work()
    first = asyncio.create_task(flight.run(["a", "b"], work))
    await until_async(lambda: work.asked)
    assert "a" in flight
    second = asyncio.create_task(flight.run(["b", "c"], work))
    await until_async(lambda: len(work.asked) == 2)
    work.go.set()
    assert await first == {"a": "A", "b": "B"}
    assert await second == {"b": "B", "c": "C"}
    assert work.asked == [["a", "b"], ["c"]]


async def test_a_cancelled_leader_does_not_fail_followers() -> None:
    """The call that began the work leaves, and the call that joined it still gets the result."""
    flight, work = SingleFlight[str, str](), Work()
    leader = asyncio.create_task(flight.run(["a"], work))
    await until_async(lambda: work.asked)
    follower = asyncio.create_task(flight.run(["a"], work))
    await asyncio.sleep(0)
    leader.cancel()
    await asyncio.wait({leader})
    work.go.set()
    assert await follower == {"a": "A"}
    assert (leader.cancelled(), work.cancelled, len(work.asked)) == (True, 0, 1)


async def test_work_is_cancelled_when_the_last_waiter_has_left() -> None:
    """Nobody waits, so nobody works; who comes later starts anew."""
    flight, work = SingleFlight[str, str](), Work()
    calls = [asyncio.create_task(flight.run(["a"], work)) for _ in range(3)]
    await until_async(lambda: work.asked)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    later = asyncio.create_task(flight.run(["a"], work))
    await until_async(lambda: work.cancelled)
    work.go.set()
    assert await later == {"a": "A"}
    assert work.asked == [["a"], ["a"]]


async def test_a_private_error_stays_with_the_call_that_caused_it() -> None:
    """The leader's bad input fails the leader; the follower does its own work."""
    flight, work = SingleFlight[str, str](of_the_caller), Work()
    work.error = ValueError("only the leader's")
    leader = asyncio.create_task(flight.run(["a", "bad"], work))
    await until_async(lambda: work.asked)
    follower = asyncio.create_task(flight.run(["a"], work))
    await asyncio.sleep(0)
    work.go.set()
    with pytest.raises(ValueError, match="only the leader's"):
        await leader
    assert await follower == {"a": "A"}
    assert work.asked == [["a", "bad"], ["a"]]


async def test_what_is_private_depends_on_who_asks_and_how_often() -> None:
    """It is judged for each call by all that the call asked for, and by how many works have failed it before."""
    judged: list[tuple[list[str], int]] = []

    def twice(_: BaseException, keys: Sequence[str], before: int) -> bool:
        judged.append((list(keys), before))
        return before == 0

    async def fail(flight: Flight[str, str]) -> Mapping[str, str]:
        if flight.keys == ["b"]:
            return {"b": "B"}
        work.asked.append(flight.keys)
        await work.go.wait()
        raise RuntimeError("too much")

    flight, work = SingleFlight[str, str](twice), Work()
    calls = [asyncio.create_task(flight.run(keys, fail)) for keys in (["a"], ["a", "b"], ["b", "a"], ["a"])]
    await until_async(lambda: flight.waiting == 4)
    work.go.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(each) for each in outcomes] == ["too much"] * 4
    assert work.asked == [["a"], ["a"]]
    assert judged == [(["a", "b"], 0), (["b", "a"], 0), (["a"], 0), (["b", "a"], 1), (["a"], 1)]


async def test_the_work_knows_how_long_the_most_patient_call_waits_for_it() -> None:
    """Those who wait for work that fails for one alone begin the next together, whoever of them wakes first."""
    known: list[float] = []

    async def fail_first(flight: Flight[str, str]) -> Mapping[str, str]:
        known.append(flight.until)
        await work.go.wait()
        if len(known) == 1:
            raise ValueError("only the first's")
        return {"a": "A"}

    flight, work = SingleFlight[str, str](of_the_caller), Work()
    calls = [asyncio.create_task(flight.run(["a"], fail_first, until)) for until in (1.0, 2.0, 9.0, 3.0)]
    await until_async(lambda: flight.waiting == 4)
    work.go.set()
    first, *others = await asyncio.gather(*calls, return_exceptions=True)
    assert (str(first), others) == ("only the first's", [{"a": "A"}] * 3)
    assert known == [9.0, 9.0]


async def test_every_other_error_reaches_all_who_wait() -> None:
    """A worker that is gone is not asked again by each follower."""
    flight, work = SingleFlight[str, str](of_the_caller), Work()
    work.error = RuntimeError("gone")
    calls = [asyncio.create_task(flight.run(["a"], work)) for _ in range(3)]
    await until_async(lambda: work.asked)
    work.go.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(each) for each in outcomes] == ["gone"] * 3
    assert len(work.asked) == 1


async def test_an_error_that_nobody_waits_for_any_more_is_no_log_line() -> None:
    """All who waited may leave in the moment in which the work fails."""
    flight, work = SingleFlight[str, str](), Work()
    work.error = RuntimeError("too late")
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def leave() -> bool:
        call = asyncio.create_task(flight.run(["a"], work))
        await until_async(lambda: work.asked)
        flight._flights["a"].task.add_done_callback(lambda _: call.cancel())
        work.go.set()
        await asyncio.wait({call})
        return call.cancelled()

    assert await leave()
    gc.collect()  # a task reports an error that nobody has looked at as it goes
    assert reported == []


async def test_nothing_is_kept_after_the_work() -> None:
    """A key is worked on again after its work has ended: what is kept is the cache's business."""
    flight, work = SingleFlight[str, str](), Work()
    work.go.set()
    await flight.run(["a"], work)
    assert "a" not in flight
    await flight.run(["a", "a"], work)
    assert work.asked == [["a"], ["a"]]
