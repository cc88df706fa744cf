"""One connection: sends the pieces of a message and reads every answer that comes."""

import asyncio
from collections.abc import Sequence

from httptools import HttpParserError, HttpResponseParser

from loadtest.fuzz.messages import Message
from stack.ports import HOST

QUIET = 0.25  # seconds without a byte, after which the sender of half a request closes its side
LIMIT = 30.0  # seconds for a whole exchange: more than any limit of the services


class Answers:
    """The answers: the status of each whole one, and what the server sent that is no HTTP."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.damage = ""
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        """Parse data; returns whether it is HTTP."""
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.damage = str(error)
        return not self.damage

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.statuses.append(self._parser.get_status_code())


async def exchange(port: int, message: Message, pieces: Sequence[bytes]) -> Answers:
    """All answers until the server closes. Raises OSError or TimeoutError when it does not answer a whole request."""
    answers = Answers()
    async with asyncio.timeout(LIMIT):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            await _send(writer, pieces)
            await _read(reader, writer, answers, half_closes=message.kind != "whole")
        except ConnectionError:
            if message.kind == "whole":
                raise
        finally:
            writer.close()
    return answers


async def _send(writer: asyncio.StreamWriter, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)


async def _read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Answers, *, half_closes: bool
) -> None:
    while True:
        try:
            data = await asyncio.wait_for(reader.read(65_536), QUIET if half_closes else None)
        except TimeoutError:
            writer.write_eof()
            half_closes = False
            continue
        if not data or not answers.feed(data):
            return
