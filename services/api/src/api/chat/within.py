"""The time limits of a chat."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.chat.errors import ChatSilent


@asynccontextmanager
async def within(seconds: float, message: str) -> AsyncIterator[None]:
    """Raise ChatSilent with the message when the block takes longer."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise ChatSilent(message) from None
