"""Divides calls between the worker's replicas: by calls in flight, and none for those that can't serve now."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from itertools import count

from aiohttp import ClientError
from yarl import URL

from api.addresses import KeptAddresses
from warmstart.apart import apart
from warmstart.lifecycle.health import reason

AVOIDED = 1.0  # seconds for which a replica that refused gets no call; doubled each time, up to LONGEST
LONGEST = 8.0  # seconds: a replica that has come back has its share within 15 s
SILENT = 1.0  # seconds without an answer to any call, after which a replica is asked whether it lives
PERIOD = 0.5  # seconds between two looks at silent replicas
LOOK = 1.0  # seconds to answer such a question
LOOKS = 2  # questions without an answer that make a replica a hung one


class Unresolved(ConnectionError):
    """The worker's name leads nowhere: the call was not sent."""


class Hung(ConnectionError):
    """The replica took a call, and answers nothing any more."""


class Replica:
    """One address of the worker. Times are the event loop's."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.in_flight: set[asyncio.Timeout] = set()
        self.heard = 0.0  # when it last answered, or got a call while it had none
        self.hung = False
        self.doubted = False  # a call was given up before it answered anything
        self._turn = random.random()  # noqa: S311 - several clients don't all begin with the first
        self._avoided_until = 0.0
        self._pause = AVOIDED

    def avoid(self) -> None:
        """Give it no call for a while, if another one can take it: it starts, is gone, or its model is broken."""
        now = asyncio.get_running_loop().time()
        if self._avoided_until <= now:  # else another call has just learnt it
            self._avoided_until, self._pause = now + self._pause, min(LONGEST, 2 * self._pause)

    def served(self) -> None:
        """It has answered a call."""
        self.heard, self._pause = asyncio.get_running_loop().time(), AVOIDED

    def begin(self, call: asyncio.Timeout, turn: int) -> None:
        """It gets a call, the `turn`th of all."""
        if not self.in_flight:
            self.heard = asyncio.get_running_loop().time()
        self.in_flight.add(call)
        self._turn = turn

    def lives(self) -> None:
        """It answers, though perhaps no call."""
        self.heard, self.hung, self.doubted = asyncio.get_running_loop().time(), False, False

    def is_silent(self, since: float) -> bool:
        """Whether it is time to ask whether it lives."""
        return self.hung or self.doubted or (bool(self.in_flight) and self.heard < since)

    def given_up(self, began: float) -> None:
        """A call that began then was cancelled. On a quiet api, health samples may be the only calls."""
        self.doubted |= self.heard <= began

    def end_calls(self) -> None:
        """Let those under way fail now."""
        for call in self.in_flight:
            if not call.expired():
                call.reschedule(asyncio.get_running_loop().time())

    def rank(self, now: float) -> tuple[bool, bool, int, float]:
        """The lowest gets the next call: fewest in flight, and of equal ones the one whose last call is oldest."""
        return self.hung, self._avoided_until > now, len(self.in_flight), self._turn


class Replicas:
    """The replicas behind the worker's URL.

    `ping(url)` returns when one answers anything at all; `hung()` is called when one has begun to give no sign of life.
    """

    def __init__(self, url: URL, ping: Callable[[URL], Awaitable[object]], hung: Callable[[], None]) -> None:
        self._url, self._ping, self._hung = url, ping, hung
        self._addresses = KeptAddresses(url.host or "", url.port or 0)
        self._known: dict[str, Replica] = {}
        self._hosts: list[str] = []
        self._listed: list[Replica] = []
        self._turns = count(1)
        self._watch: asyncio.Task[None] | None = None
        self.forget = self._addresses.forget

    async def close(self) -> None:
        """Look no more."""
        if self._watch:
            self._watch.cancel()
        await self._addresses.close()

    @property
    def number(self) -> int:
        """How many are known, at least 1."""
        return max(1, len(self._listed))

    @asynccontextmanager
    async def chosen(self, unfit: Collection[str | None] = ()) -> AsyncIterator[Replica]:
        """The one for the next call, which is under way inside; one of the `unfit` hosts only if there is no other.

        Raises:
            Unresolved: none is known.
            Hung: it gives no sign of life, and another one does.
        """
        replica = await self._choose(unfit)
        try:
            async with asyncio.timeout(None) as limit:
                replica.begin(limit, next(self._turns))
                began = asyncio.get_running_loop().time()
                try:
                    yield replica
                except asyncio.CancelledError:
                    replica.given_up(began)
                    raise
                finally:
                    replica.in_flight.discard(limit)
        except TimeoutError as error:
            if limit.expired():
                raise Hung("it gives no sign of life") from error
            raise

    async def _choose(self, unfit: Collection[str | None]) -> Replica:
        try:
            hosts = await self._addresses.get()
        except OSError as error:
            raise Unresolved(reason(error)) from error
        if hosts is not self._hosts:
            self._list(hosts)
        now = asyncio.get_running_loop().time()
        return min(self._listed, key=lambda each: (each.url.host in unfit, each.rank(now)))

    def _list(self, hosts: list[str]) -> None:
        """Know these replicas, and besides them those whose calls are under way."""
        known = {host: each for host, each in self._known.items() if each.in_flight or host in hosts}
        self._known = known | {host: Replica(self._url.with_host(host)) for host in hosts if host not in known}
        self._hosts, self._listed = hosts, [self._known[host] for host in hosts]
        if len(hosts) > 1 and self._watch is None:
            self._watch = apart(self._watch_silent(), "watch the worker's replicas")

    async def _watch_silent(self) -> None:
        """Ask those that answer no call whether they live."""
        while True:
            await asyncio.sleep(PERIOD)
            since = asyncio.get_running_loop().time() - SILENT
            await asyncio.gather(*(self._ask(each) for each in self._known.values() if each.is_silent(since)))

    async def _ask(self, replica: Replica) -> None:
        for _ in range(LOOKS):
            with suppress(OSError, ClientError, TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._ping(replica.url)
                replica.lives()
                return
        if not replica.hung:
            replica.hung = True
            self._hung()
        if not all(each.hung for each in self._listed):  # else no other one could do better
            replica.end_calls()
