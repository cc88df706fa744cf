"""A large request goes to the worker in portions, several at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import orjson

from api.embedding import Item
from contract.limits import BODY_BYTES, INPUTS

K = TypeVar("K")
V = TypeVar("V")

BYTES = BODY_BYTES - 1024  # of the inputs; the rest of the body is smaller
AT_ONCE = 8  # calls, of 2,048 inputs. The worker takes or refuses each alone; one refusal ends the others


def portions(items: Mapping[K, Item]) -> list[list[K]]:
    """Divide the keys, in order, into portions that the worker takes in one call.

    An item that is too large for the worker is a portion of its own.
    """
    if len(items) <= INPUTS and sum(map(_most_bytes, items.values())) <= BYTES:
        return [list(items)]  # writing JSON here would do it twice: the call writes it again
    divided: list[list[K]] = []
    room = 0
    for key, item in items.items():
        size = len(orjson.dumps(item)) + 1
        if not divided or size > room or len(divided[-1]) == INPUTS:
            divided.append([])
            room = BYTES
        divided[-1].append(key)
        room -= size
    return divided


def _most_bytes(item: Item) -> int:
    """An upper bound of its JSON: a control character has 6 bytes, an id below 2**31 has 10, plus quotes and commas."""
    return 3 + (6 if isinstance(item, str) else 11) * len(item)


async def together(ask: Callable[[list[K]], Awaitable[V]], divided: Sequence[list[K]]) -> list[V]:
    """The results of `ask` for all portions, in order. The first error cancels the other calls, and is raised."""
    if len(divided) == 1:
        return [await ask(divided[0])]
    free = asyncio.Semaphore(AT_ONCE)

    async def call(portion: list[K]) -> V:
        async with free:
            return await ask(portion)

    try:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(call(portion)) for portion in divided]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [each.result() for each in calls]
