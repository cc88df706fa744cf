"""A proxy that knows one server, whatever name it is asked for; it runs in a thread of its own."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from yarl import URL

from services.api.tests.helpers.in_thread import serving

USER, PASSWORD = "of-the-proxy", "p%40ssword-of-the-proxy"
EXPECTED = "Basic " + base64.b64encode(b"of-the-proxy:p@ssword-of-the-proxy").decode()


class Proxy:
    """`url` is its address, with its password; `asked` are the first lines of what came."""

    def __init__(self, to: URL) -> None:
        self.url = ""
        self.asked: list[str] = []
        self._to = to

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve on a free port of this machine."""
        with serving(self._serve, asyncio.new_event_loop()) as port:
            self.url = f"http://{USER}:{PASSWORD}@127.0.0.1:{port}"
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, *headers = head.decode().split("\r\n")
            self.asked.append(line)
            if f"Proxy-Authorization: {EXPECTED}" not in headers:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            else:
                theirs, ours = await asyncio.open_connection(self._to.host, self._to.port)
                if line.startswith("CONNECT "):
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    ours.write(head)
                await asyncio.gather(_pass_on(reader, ours), _pass_on(theirs, writer))
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()
