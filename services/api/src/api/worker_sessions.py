"""The connections to the worker: they are shared, and a call that fails is tried again at another replica.

aiohttp was chosen by a measurement against a tiny route with an answer of this shape (2 cores, uvloop, median of 7
alternating rounds of 800 calls): at 1 / 16 / 50 / 100 calls at a time it made 4,725 / 12,932 / 13,220 / 12,754
requests/s at 0.14 / 0.08 / 0.08 / 0.08 ms CPU each, httpx2 2.16 made 2,229 / 2,192 / 1,917 / 1,458 at 0.44 / 0.46 /
0.52 / 0.69 ms.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    TCPConnector,
)
from yarl import URL

from api.metrics import WORKER_RETRIES
from api.replicas import Hung, Replicas, Unresolved
from api.suspects import Suspects
from api.worker_answer import refusal
from api.worker_pool import WorkerPool
from api.worker_secret import HEADER, REFUSED, WorkerSecret
from contract import call, lane, model
from contract.answer import BINARY
from contract.lane import Lane
from warmstart import request_id
from warmstart.errors import Overloaded
from warmstart.traces import now
from warmstart.traces.now import Attributes

LOSSES = 1  # how often the connection of a call may die when the call may have been computed
KEEPALIVE = 30.0  # seconds an idle connection is kept: less than the worker's 75, so that the client closes it first
CONNECT_TIMEOUT = 2.0  # seconds
LIMITS = ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)
FAILURES = (ClientConnectionError, ClientPayloadError, ConnectionError, TimeoutError)
Fits: TypeAlias = Callable[[ClientResponse, bytes], bool]
UNSENT = (Unresolved, ClientConnectorError, ConnectionTimeoutError)  # of these, the failures before anything was sent


@dataclass(slots=True)
class Call:
    """One request to the worker, and what has become of it. Times are the event loop's."""

    method: str
    path: str
    payload: bytes | None = None
    ends: float = math.inf
    whole: int = 0  # tokens of the whole call that it is a part of
    lane: Lane | None = None
    ready: Callable[[], Awaitable[None]] | None = None  # returns when the worker can take it a second time
    accept: str = BINARY
    fits: Fits | None = None  # whether no other replica need be asked after an answer
    secret: str | None = None  # what was last sent as such
    denied: int = 0  # how often the worker has refused that
    tried: float = 0.0  # when it was last sent
    lost: int = 0  # how often its connection failed when it may have been computed
    suspect: bool = False  # whether it may have ended a process
    unfit: set[str | None] = field(default_factory=set)  # hosts that gave another answer than one that `fits`


class WorkerSessions:
    """Sends calls to the worker's replicas."""

    def __init__(self, base_url: str, secret: WorkerSecret) -> None:
        url = URL(base_url)
        self._secret = secret
        self._host, self._tls_name = url.host_port_subcomponent or "", url.host if url.scheme == "https" else None
        self._suspects = Suspects()
        self._pool = WorkerPool(lambda: _session(keepalive_timeout=KEEPALIVE))
        self.doubt = self._pool.renew  # it gave no answer: on none of the pool's connections may one ever come
        self._fresh = _session(force_close=True)
        self._replicas = Replicas(url, self._ping, self.doubt)
        self.forget = self._replicas.forget  # the worker may have moved

    async def close(self) -> None:
        """Close every connection."""
        await self._replicas.close()
        await self._pool.close()
        await self._fresh.close()

    async def ask(self, asked: Call) -> tuple[ClientResponse, bytes]:
        """Send a request; retry once if its connection died, or once for each replica that can't serve, or doesn't fit.

        The retry is safe, since embedding changes nothing in the worker. A call whose connection died twice, also when
        it waited for the worker in between, may have killed two processes, and is sent to no third one. Its retry waits
        for a worker that is `ready`, since a proxy in front of one that restarts accepts connections and breaks them. A
        retry uses no connection of the pool: after a restart of the worker all of them are dead.
        """
        tries = 0
        while True:
            held, tries = nullcontext(self._fresh) if tries else self._pool.session(), tries + 1
            try:
                async with self._suspects.turn(asked.ends) if asked.suspect and asked.payload else nullcontext():
                    with held as session:
                        reply, body, serves = await self._send(session, asked)
                if reply.status in REFUSED and asked.denied < self._secret.number:
                    asked.denied, tries = asked.denied + 1, tries - 1
                    self._secret.refused(asked.secret)
                    continue
                if serves or tries > self._replicas.number:
                    return reply, body
            except FAILURES as error:
                late = isinstance(error, TimeoutError) and not isinstance(error, ConnectionTimeoutError)
                lost = not isinstance(error, UNSENT)
                suspect = lost and not isinstance(error, Hung)  # a text that ends a process doesn't silence it
                asked.suspect |= suspect
                asked.lost += lost
                if late or asked.lost > LOSSES or tries > self._replicas.number:
                    raise
                self._replicas.forget()
                if suspect and asked.ready:
                    await asked.ready()
            WORKER_RETRIES.inc()

    async def _send(self, session: ClientSession, asked: Call) -> tuple[ClientResponse, bytes, bool]:
        """Send it once; returns the answer, its body, and whether the replica serves."""
        asked.tried = asyncio.get_running_loop().time()
        headers = {"Accept": asked.accept, "Content-Type": "application/json"} if asked.payload else {}
        headers |= self._secret.headers
        asked.secret = headers.get(HEADER)
        if asked.ends < math.inf:
            headers[call.SECONDS] = f"{max(0.001, asked.ends - asked.tried):.3f}"
        if asked.whole:
            headers[call.TOKENS] = str(asked.whole)
        if asked.lane:
            headers[lane.HEADER] = asked.lane
        if name := request_id.current():  # of a shared miss, the id of the first request
            headers[call.REQUEST_ID] = name
        async with self._replicas.chosen(asked.unfit) as replica:
            url = replica.url.with_path(asked.path)
            try:
                reply, body = await self._exchange(session, asked.method, url, asked.payload, headers)
            except UNSENT:
                replica.avoid()
                raise
            serves = not _cannot_serve(reply, body)
            replica.served() if serves else replica.avoid()
            if serves and asked.fits and not asked.fits(reply, body):
                asked.unfit.add(url.host)
                serves = False
            return reply, body, serves

    async def _exchange(
        self, session: ClientSession, method: str, url: URL, payload: bytes | None, headers: dict[str, str]
    ) -> tuple[ClientResponse, bytes]:
        headers["Host"] = self._host
        about: Attributes = {"http.request.method": method, "server.address": url.host or ""}
        with now.span(f"{method} {url.path}", about, "client") as span:
            now.send(headers)
            async with session.request(
                method, url, data=payload, headers=headers, server_hostname=self._tls_name
            ) as reply:
                body = await reply.read()
            if span:
                span.set_attribute("http.response.status_code", reply.status)
            return reply, body

    async def _ping(self, replica: URL) -> None:
        await self._exchange(self._fresh, "GET", replica.with_path(model.PATH), None, {})


def _session(**options: Any) -> ClientSession:
    # limit=0: the worker's queue is the bound; requests that wait here would hide an overload from the worker.
    connector = TCPConnector(limit=0, **options)
    return ClientSession(connector=connector, timeout=LIMITS)


def _cannot_serve(reply: ClientResponse, body: bytes) -> bool:
    """Whether another replica may answer otherwise: one that starts, or has lost its model, says 503 to everything."""
    return reply.status == 503 and not isinstance(refusal(reply, body), Overloaded)
