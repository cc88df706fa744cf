"""The pooled connections to the worker: all are left at once when any may be dead without having been told.

A router or a node that is gone closes nothing: requests on such a connection wait for their whole time budget. Of
twenty at once 15 failed so after 5 s, with the worker well and the network back, and five health samples in a row.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import ClientSession


class WorkerPool:
    """One session whose connections are used again; `make` makes it, and its successors."""

    def __init__(self, make: Callable[[], ClientSession]) -> None:
        self._make = make
        self._session = make()
        self._calls: Counter[ClientSession] = Counter()  # under way
        self._closed = False
        self._closing: set[asyncio.Task[None]] = set()

    @contextmanager
    def session(self) -> Iterator[ClientSession]:
        """The session for one call."""
        session = self._session
        self._calls[session] += 1
        try:
            yield session
        finally:
            self._calls[session] -= 1
            self._close_unused(session)

    def renew(self) -> None:
        """Use connections that exist now for the calls that have them, and for no others."""
        if not self._closed:
            old, self._session = self._session, self._make()
            self._close_unused(old)

    def _close_unused(self, session: ClientSession) -> None:
        if session is not self._session and not self._calls[session]:
            del self._calls[session]
            closing = asyncio.create_task(session.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        for session in {self._session, *self._calls}:
            await session.close()
        await asyncio.gather(*self._closing)
