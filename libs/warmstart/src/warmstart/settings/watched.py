"""A secret whose file is read again while the service runs: what is added or revoked there counts without a restart."""

import asyncio
import logging
from collections.abc import Callable

from warmstart.settings.secret_files import SUFFIX, read, variables

log = logging.getLogger("warmstart.settings")

PERIOD = 0.5  # seconds between two looks; a change counts at the second look that finds it


class Watched:
    """The secret `name`, given to `use` when its file (`NAME_FILE`) has changed. `use` is called in a thread.

    The whole file is read at each look: Kubernetes changes a mounted Secret by a symbolic link, editors by a new file,
    and a file that is written twice within the clock's tick keeps its time and perhaps its size. A content counts when
    two looks find it, so that a half-written file doesn't. One that can't be read, or that `use` refuses by ValueError,
    changes nothing, and the log says so once; one that has become empty is used: it revokes everything.
    """

    def __init__(self, name: str, use: Callable[[str], object]) -> None:
        self._variable = name.upper() + SUFFIX
        self._path = variables().get(self._variable)
        self._use = use
        self._seen: str | None = None
        self._used: str | None = None
        self._complaint = ""

    async def watch(self, _: object = None) -> None:
        """Look for ever; return at once for a secret that comes from no file."""
        while self._path:
            await asyncio.to_thread(self._look, self._path)
            await asyncio.sleep(PERIOD)

    def _look(self, path: str) -> None:
        try:
            before, self._seen = self._seen, read(self._variable, path, empty=True)
            if self._seen == before != self._used:
                self._use(before)
                self._used = before
            self._complaint = ""
        except ValueError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                log.error("%s; what was read before still counts", error)
