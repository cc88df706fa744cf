"""One listener of the proxy, and the file with the toxics of its connections."""

import asyncio
import logging
from collections.abc import Callable, Collection
from pathlib import Path

from .link import Link
from .toxics import Toxic, loads, meets

log = logging.getLogger("toxic")

CONNECT_SECONDS = 5.0


class Toxics:
    """The toxics in a file, read again when it changes; none while it is missing, or can't be understood."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version: tuple[int, int] | None = None
        self._now: tuple[Toxic, ...] = ()

    def __call__(self) -> Collection[Toxic]:
        try:
            stat = self._file.stat()
        except OSError:
            self._version, self._now = None, ()
            return self._now
        if (version := (stat.st_mtime_ns, stat.st_ino)) != self._version:
            self._version = version
            try:
                self._now = loads(self._file.read_text())
            except (OSError, ValueError) as error:
                self._now = ()
                log.error("no toxic is on: %s can't be understood: %s", self._file, error)
            else:
                log.warning("toxics: %s", ", ".join(each.kind for each in self._now) or "none")
        return self._now


class Drawn:
    """The toxics of one connection: of each that comes, also while it is open, chance decides once by its toxicity."""

    def __init__(self, toxics: Callable[[], Collection[Toxic]]) -> None:
        self._toxics = toxics
        self._met: dict[Toxic, bool] = {}

    def __call__(self) -> Collection[Toxic]:
        now = self._toxics()
        self._met = {each: self._met[each] if each in self._met else meets(each) for each in now}
        return [each for each in now if self._met[each]]


class Proxy:
    """Accepts connections at `listen`, and makes one to `target` for each; both are host:port."""

    def __init__(self, listen: str, target: str, toxics: Toxics) -> None:
        self._listen, self._target = _address(listen), _address(target)
        self._toxics = toxics

    async def serve(self) -> None:
        """Serve until cancelled. Raises OSError when it can't listen at the address."""
        host, port = self._listen
        server = await asyncio.start_server(self._take, host, port)
        async with server:
            await server.serve_forever()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = Drawn(self._toxics)
        if any(toxic.kind == "down" for toxic in own()):
            writer.close()
            return
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                server = await asyncio.open_connection(*self._target)
        except OSError as error:
            log.info("%s:%d: %s", *self._target, error)
            writer.close()
            return
        await Link(own).join((reader, writer), server)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
