"""The only client of the worker: shared connections, a retry at another replica, the time budget passed on.

aiohttp was chosen by a measurement against a tiny route with an answer of this shape (2 cores, uvloop, median of 7
alternating rounds of 800 calls): at 1 / 16 / 50 / 100 calls at a time it made 4,725 / 12,932 / 13,220 / 12,754
requests/s at 0.14 / 0.08 / 0.08 / 0.08 ms CPU each, httpx2 2.16 made 2,229 / 2,192 / 1,917 / 1,458 at 0.44 / 0.46 /
0.52 / 0.69 ms.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, cast

import orjson
from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    TCPConnector,
)
from aiohttp.connector import Connection
from fastapi import FastAPI
from pydantic import ValidationError

from api.addresses import KeptAddresses
from api.embedding import Item
from api.metrics import WORKER_RETRIES
from api.settings import ApiSettings
from api.worker_answer import Answer, read_answer, refusal
from contract import call, model
from contract.answer import BINARY
from contract.model import ModelInfo
from warmstart import request_id
from warmstart.errors import DeadlineExceeded, DependencyUnavailable, Overloaded
from warmstart.lifecycle.health import reason

KEEPALIVE = 30.0  # seconds an idle connection is kept: less than the worker's 75, so that the client closes it first
CONNECT_TIMEOUT = 2.0  # seconds
LIMITS = ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)


class Reply(ClientResponse):
    """A response that knows the address that gave it: a short one's connection is back in the pool when it ends."""

    address = ""

    async def start(self, connection: Connection) -> ClientResponse:
        """Called by aiohttp when the request was sent."""
        if connection.transport and (peer := connection.transport.get_extra_info("peername")):  # none after a reset
            self.address = peer[0]
        return await super().start(connection)


class WorkerClient:
    """Embeds through the worker, and knows which model it serves."""

    model: ModelInfo  # as the worker last described it

    def __init__(self, base_url: str) -> None:
        # limit=0: the worker's queue is the bound; requests that wait here would hide an overload from the worker.
        self._addresses = KeptAddresses()
        self._pooled = self._session(base_url, keepalive_timeout=KEEPALIVE)
        self._fresh = self._session(base_url, force_close=True)

    def _session(self, base_url: str, **options: Any) -> ClientSession:
        connector = TCPConnector(limit=0, use_dns_cache=False, resolver=self._addresses, **options)
        return ClientSession(base_url, connector=connector, timeout=LIMITS, response_class=Reply)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pooled.close()
        await self._fresh.close()
        await self._addresses.close()

    async def refresh(self) -> None:
        """Learn the worker's model. Raises DependencyUnavailable when the worker gives no proper answer."""
        try:
            self.model = await self._describe()
        except BaseException:  # also after an abandoned sample: the worker may have moved
            self._addresses.forget()
            raise

    async def _describe(self) -> ModelInfo:
        try:
            response, body = await self._ask("GET", model.PATH)
        except (ClientError, OSError) as error:
            raise DependencyUnavailable("worker", reason(error)) from error
        if response.status != 200:
            raise DependencyUnavailable("worker", f"it answered {response.status}")
        try:
            return ModelInfo.model_validate_json(body)
        except ValidationError as error:
            raise DependencyUnavailable("worker", "it did not describe its model") from error

    async def embed(self, items: Sequence[Item], budget: float, whole: int = 0) -> Answer:
        """Embed texts, or token ids, within `budget` seconds, as part of a call of `whole` tokens.

        Raises PayloadTooLarge, Overloaded, DeadlineExceeded, or DependencyUnavailable.
        """
        kind = call.TEXTS if isinstance(items[0], str) else call.TOKEN_IDS
        ends = asyncio.get_running_loop().time() + budget
        try:
            async with asyncio.timeout_at(ends):
                response, body = await self._ask("POST", call.PATH, orjson.dumps({kind: items}), ends, whole=whole)
        except TimeoutError as error:
            if asyncio.get_running_loop().time() < ends:
                raise DependencyUnavailable("worker", reason(error)) from error
            raise DeadlineExceeded("the worker did not answer within the request's time budget") from error
        except (ClientError, OSError) as error:
            raise DependencyUnavailable("worker", reason(error)) from error
        if response.status != 200:
            raise refusal(response, body)
        return read_answer(response, body, len(items))

    async def _ask(
        self, method: str, path: str, payload: bytes | None = None, ends: float = math.inf, *, whole: int = 0
    ) -> tuple[Reply, bytes]:
        """Send a request; retry once, or once for each address, if the connection fails or the replica can't serve.

        The retry is safe, since embedding changes nothing in the worker. A retry uses no connection of the pool: after
        a restart of the worker all of them are dead.
        """
        tries = 0
        while True:
            session, tries = self._fresh if tries else self._pooled, tries + 1
            try:
                reply, body = await self._send(session, method, path, payload, ends, whole=whole)
                if tries > self._addresses.number or not _cannot_serve(reply, body):
                    return reply, body
                self._addresses.avoid(reply.address)
            except (ClientConnectionError, ClientPayloadError, ConnectionError, TimeoutError) as error:
                late = isinstance(error, TimeoutError) and not isinstance(error, ConnectionTimeoutError)
                if late or tries > self._addresses.number:
                    raise
                self._addresses.forget()
            WORKER_RETRIES.inc()

    async def _send(
        self, session: ClientSession, method: str, path: str, payload: bytes | None, ends: float, *, whole: int
    ) -> tuple[Reply, bytes]:
        headers = {"Accept": BINARY, "Content-Type": "application/json"} if payload else {}
        if ends < math.inf:
            headers[call.SECONDS] = f"{max(0.001, ends - asyncio.get_running_loop().time()):.3f}"
        if whole:
            headers[call.TOKENS] = str(whole)
        if name := request_id.current():  # of a shared miss, the id of the first request
            headers[call.REQUEST_ID] = name
        async with session.request(method, path, data=payload, headers=headers) as reply:
            return cast("Reply", reply), await reply.read()


def _cannot_serve(reply: Reply, body: bytes) -> bool:
    """Whether another replica may answer otherwise: one that starts, or has lost its model, says 503 to everything."""
    return reply.status == 503 and not isinstance(refusal(reply, body), Overloaded)


@asynccontextmanager
async def open_worker(app: FastAPI) -> AsyncIterator[WorkerClient]:
    """Yield the client after the worker described its model. Raises DependencyUnavailable otherwise."""
    settings: ApiSettings = app.state.settings
    async with WorkerClient(settings.worker_url) as client:
        await client.refresh()
        yield client


async def check_worker(client: WorkerClient) -> None:
    """Raise when the worker does not answer; takes note of a changed model."""
    await client.refresh()
