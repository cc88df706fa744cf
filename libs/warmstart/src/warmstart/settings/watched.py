"""A file that is read again while the service runs: what is changed there, or revoked, counts without a restart."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from warmstart.settings.secret_files import SUFFIX, read, variables

T = TypeVar("T")

log = logging.getLogger("warmstart.settings")

PERIOD = 0.5  # seconds between two looks; a change counts at the second look that finds it


def complain(why: str) -> None:
    """Say that a file was refused."""
    log.error("%s; what was read before still counts", why)


class WatchedFile(Generic[T]):
    """A file that `read` reads whole; when it has changed, `use` is called with what is in it. Both run in a thread.

    The whole file is read at each look: Kubernetes changes a mounted Secret or ConfigMap by a symbolic link, editors by
    a new file, and a file that is written twice within the clock's tick keeps its time and perhaps its size. What a
    look finds counts when the next one finds it too, so that a half-written file doesn't, nor one that is gone for a
    moment. One that can't be read, or that `use` refuses, both by ValueError, changes nothing: `complaint` says why
    until that is over, and `refused` is called with it once.
    """

    def __init__(
        self, read: Callable[[], T], use: Callable[[T], object], refused: Callable[[str], object] = complain
    ) -> None:
        self.complaint = ""
        self._read, self._use, self._refused = read, use, refused
        # Its own: neither calls that fill asyncio's pool and hang, nor another file's, keep this one from being read.
        self._thread = ThreadPoolExecutor(1, "watched file")
        self._seen: tuple[T | None, str] | None = None  # what is in the file, or why it can't be read
        self._judged: tuple[T | None, str] | None = None

    def begin(self) -> None:
        """Use the file as it is now; `complaint` says why it can't be used."""
        self._seen = self._judged = self._found()
        self.complaint = self._judge(*self._seen)

    async def watch(self, _: object = None) -> None:
        """Look for ever."""
        while True:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._look)
            await asyncio.sleep(PERIOD)

    def _look(self) -> None:
        before, self._seen = self._seen, self._found()
        if self._seen == before and self._seen != self._judged:
            self._judged = self._seen
            why, told = self._judge(*self._seen), self.complaint
            self.complaint = why
            if why and why != told:
                self._refused(why)

    def _found(self) -> tuple[T | None, str]:
        try:
            return self._read(), ""
        except ValueError as error:
            return None, str(error)

    def _judge(self, found: T | None, why: str) -> str:
        """Use what was found; returns why that is impossible."""
        if found is not None:
            try:
                self._use(found)
            except ValueError as error:
                return str(error)
        return why


class Watched:
    """The secret `name`, given to `use` when its file (`NAME_FILE`) has changed. `use` is called in a thread.

    One that has become empty is used: it revokes everything.
    """

    def __init__(self, name: str, use: Callable[[str], object]) -> None:
        variable = name.upper() + SUFFIX
        path = variables().get(variable)
        self._file = WatchedFile(partial(read, variable, path, empty=True), use) if path else None

    async def watch(self, _: object = None) -> None:
        """Look for ever; return at once for a secret that comes from no file."""
        if self._file:
            await self._file.watch()
