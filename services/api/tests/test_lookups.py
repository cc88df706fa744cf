"""Requests at about the same time share a look into Redis, and each gets its own values."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.lookups import CALLS, KEYS, Lookups

pytestmark = pytest.mark.anyio


class Store:
    """Answers each key with itself, once `open` is set; remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def mget(self, keys: list[bytes]) -> Sequence[bytes]:
        """As Redis does."""
        self.calls.append(len(keys))
        await self.open.wait()
        if self.error:
            raise self.error
        return keys


async def test_who_asks_together_shares_a_call() -> None:
    """A hundred requests make few calls, and every request has its own keys' values in order."""
    store = Store()
    store.open.set()
    lookups = Lookups(store.mget, timeout=60)
    asked = [[f"{number}-{part}".encode() for part in range(1 + number % 3)] for number in range(100)]
    assert await asyncio.gather(*map(lookups.get, asked)) == asked
    assert len(store.calls) <= CALLS
    assert sum(store.calls) == sum(map(len, asked))


async def test_a_call_has_a_bound() -> None:
    """Large requests are not added up beyond the bound, and one that is larger by itself is divided."""
    store = Store()
    store.open.set()
    lookups = Lookups(store.mget, timeout=60)
    asked = [[b"key"] * size for size in (KEYS - 1, 1, 1, KEYS + 1, 1)]
    assert [len(values) for values in await asyncio.gather(*map(lookups.get, asked))] == [*map(len, asked)]
    assert sum(store.calls) == 2 * KEYS + 3
    assert max(store.calls) == KEYS


async def test_a_large_request_has_its_values_in_order() -> None:
    """2,048 keys are looked up in several calls, and come back in the order of the request."""
    store = Store()
    store.open.set()
    asked = [str(number).encode() for number in range(2048)]
    assert await Lookups(store.mget, timeout=60).get(asked) == asked


async def test_a_slow_call_does_not_hold_up_the_next() -> None:
    """While one waits for its answer, another goes out."""
    store = Store()
    lookups = Lookups(store.mget, timeout=60)
    first = asyncio.create_task(lookups.get([b"slow"]))
    while not store.calls:
        await asyncio.sleep(0)
    second = asyncio.create_task(lookups.get([b"quick"]))
    while len(store.calls) < 2:
        await asyncio.sleep(0)
    store.open.set()
    assert [await first, await second] == [[b"slow"], [b"quick"]]


async def test_slow_calls_have_a_bound() -> None:
    """While as many as may be under way are slow, who asks waits for the next, and shares it."""
    store = Store()
    lookups = Lookups(store.mget, timeout=60)
    asked = []
    for number in range(CALLS + 10):
        asked.append(asyncio.create_task(lookups.get([b"%d" % number])))
        for _ in range(3):  # turns, in which a call would begin
            await asyncio.sleep(0)
    assert len(store.calls) == CALLS
    store.open.set()
    assert await asyncio.gather(*asked) == [[b"%d" % number] for number in range(CALLS + 10)]
    assert store.calls[CALLS:] == [10]


async def test_who_asks_as_the_last_call_ends_is_served() -> None:
    """All calls that may be under way end in the same turn of the event loop, in which one more request asks."""
    store = Store()
    lookups = Lookups(store.mget, timeout=60)
    first = []
    for number in range(CALLS):
        first.append(asyncio.create_task(lookups.get([b"%d" % number])))
        while len(store.calls) <= number:
            await asyncio.sleep(0)
    store.open.set()
    late = asyncio.create_task(lookups.get([b"late"]))  # its turn comes right after theirs
    await asyncio.gather(*first)
    assert await asyncio.wait_for(late, 10) == [b"late"]


async def test_an_error_reaches_all_who_shared_the_call() -> None:
    """And the next call is a new one."""
    store = Store()
    store.open.set()
    store.error = ConnectionError("gone")
    lookups = Lookups(store.mget, timeout=60)
    failed = await asyncio.gather(*(lookups.get([b"key"]) for _ in range(10)), return_exceptions=True)
    assert [str(error) for error in failed] == ["gone"] * 10
    store.error = None
    assert await lookups.get([b"key"]) == [b"key"]


async def test_the_wait_for_a_call_has_no_limit() -> None:
    """A large request has its values, though its calls together take longer than one may."""
    now = [0.0]

    async def mget(keys: list[bytes]) -> Sequence[bytes]:
        await asyncio.sleep(0)
        now[0] += 0.2
        return keys

    loop = asyncio.get_running_loop()
    loop.time = lambda: now[0]  # type: ignore[method-assign]
    asked = [str(number).encode() for number in range(8 * KEYS)]
    assert await Lookups(mget, timeout=0.25).get(asked) == asked
    assert now[0] > 1


async def test_a_small_request_waits_for_one_part_of_each_large_one() -> None:
    """It is served before the later parts of those that came first."""
    store = Store()
    lookups = Lookups(store.mget, timeout=60)
    large = [asyncio.create_task(lookups.get([b"key"] * 9 * KEYS)) for _ in range(CALLS + 2)]
    while len(store.calls) < CALLS:
        await asyncio.sleep(0)
    small = asyncio.create_task(lookups.get([b"small"]))
    await asyncio.sleep(0)
    store.open.set()
    assert await small == [b"small"]
    assert len(store.calls) < 3 * len(large)
    await asyncio.gather(*large)


async def test_a_store_that_is_away_fails_all_who_wait() -> None:
    """A refused connection is told to those whose call would come later, too: none of them tries it for itself."""
    store = Store()
    lookups = Lookups(store.mget, timeout=60)
    asked = [asyncio.create_task(lookups.get([b"key"] * KEYS)) for _ in range(100)]
    while len(store.calls) < CALLS:
        await asyncio.sleep(0)
    store.error = RedisConnectionError("refused")
    store.open.set()
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert {str(error) for error in failed} == {"refused"}
    assert len(store.calls) <= 2 * CALLS


async def test_a_store_that_hangs_holds_up_nobody_for_longer_than_the_limit() -> None:
    """When a call has timed out, those who wait for the next are told so at once, and the next request tries again."""
    store = Store()
    lookups = Lookups(store.mget, timeout=0.01)
    failed = await asyncio.gather(*(lookups.get([b"key"] * KEYS) for _ in range(100)), return_exceptions=True)
    assert {type(error) for error in failed} == {TimeoutError}
    assert len(store.calls) <= 2 * CALLS
    store.open.set()
    assert await lookups.get([b"key"]) == [b"key"]


async def test_who_left_is_not_looked_up_for() -> None:
    """A request that was cancelled before the call went out costs Redis nothing."""
    store = Store()
    store.open.set()
    lookups = Lookups(store.mget, timeout=60)
    gone, stays = (asyncio.create_task(lookups.get([key])) for key in (b"gone", b"stays"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [b"stays"]
    assert sum(store.calls) == 1
