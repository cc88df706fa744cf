"""The stream of the chat server, chunk by chunk, each in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from aiohttp import ClientError, ClientResponse

from api.chat.completion import Said, read
from api.chat.errors import ChatBroken, ChatInvalid
from api.chat.events import BROKE, Events
from api.chat.server import ChatServer
from api.chat.within import within
from api.settings import ApiSettings

END = b"[DONE]"
KIND = "text/event-stream"
LAST = 0.05  # seconds from `[DONE]` to the end of the body, which mostly comes with it
MOST_HELD = 16  # chunks before the first word; OpenAI and vLLM send one, with the role


class Stream:
    """A stream that has begun: `held` are the chunks up to the first word."""

    def __init__(self, response: ClientResponse, token_seconds: float) -> None:
        self.held: list[Said] = []
        self._content = response.content
        self._events = Events(response.content)
        self._token_seconds = token_seconds
        self._complete = self._ended = False

    async def begin(self) -> None:
        """Read up to the first word. Raises ChatInvalid when the stream ends before, and what `_read` raises."""
        while len(self.held) < MOST_HELD:
            said = await self._read()
            if said is None:
                break
            self.held.append(said)
            if said.begins or said.ends:
                return
        if not self.held:
            raise ChatInvalid("the chat server ended its stream without an answer")

    async def next(self) -> Said | None:
        """The next chunk, or None at the end. Raises ChatSilent when none comes in time, and what `_read` raises."""
        async with within(self._token_seconds, "the chat server fell silent in the middle of its answer"):
            return await self._read()

    async def finish(self) -> None:
        """Read what follows the answer: only at the end of a body aiohttp keeps its connection for the next call."""
        with suppress(TimeoutError, ClientError, OSError):
            async with asyncio.timeout(LAST):
                while await self._content.readany():
                    pass

    async def _read(self) -> Said | None:
        """The end is `[DONE]`, or that of the connection once the server has said why it finished.

        Raises ChatBroken for any other end, ChatInvalid, or ChatFailed.
        """
        data = None if self._ended else await self._events.next()
        if data is None or data.strip() == END:
            if data is None and not (self._ended or self._complete):
                raise ChatBroken(BROKE)
            self._ended = True
            return None
        said = read(data, "delta")
        self._complete |= said.ends
        return said


@asynccontextmanager
async def streamed(server: ChatServer, payload: bytes, settings: ApiSettings) -> AsyncIterator[Stream]:
    """Ask, and wait for the first word; the block reads up to the end.

    Raises ChatSilent when the first word is late, and what `asked` and `begin` raise.
    """
    async with AsyncExitStack() as stack:
        async with within(settings.chat_first_token_timeout, "the chat server did not begin to answer in time"):
            response = await stack.enter_async_context(server.asked(payload))
            if response.content_type != KIND:
                raise ChatInvalid(f"the chat server answered {KIND} with another type of content")
            stream = Stream(response, settings.chat_token_timeout)
            await stream.begin()
        yield stream
        await stream.finish()
