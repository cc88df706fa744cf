"""The one client to the worker: shared connections, one retry, the remaining time budget passed on.

aiohttp because of a measurement against a tiny route with an answer of this shape (2 cores, uvloop, median of
7 alternating rounds of 800 calls): at 1 / 16 / 50 / 100 calls at a time it made 4,725 / 12,932 / 13,220 /
12,754 requests/s at 0.14 / 0.08 / 0.08 / 0.08 ms CPU each, httpx2 2.16 made 2,229 / 2,192 / 1,917 / 1,458
at 0.44 / 0.46 / 0.52 / 0.69 ms.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import orjson
from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    TCPConnector,
)
from fastapi import FastAPI
from pydantic import ValidationError

from api.addresses import KeptAddresses
from api.embedding import Item
from api.identity import Identity
from api.metrics import WORKER_RETRIES
from api.settings import ApiSettings
from api.worker_answer import Answer, read_answer, refusal
from servicekit import deadline, request_id
from servicekit.errors import DeadlineExceeded, DependencyUnavailable
from servicekit.health import reason

KEEPALIVE = 30.0  # seconds an idle connection is kept; the worker keeps it for 75, and equal values race
CONNECT_TIMEOUT = 2.0  # seconds
LIMITS = ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT)


class WorkerClient:
    """Embeds through the worker, and knows which model it serves."""

    identity: Identity

    def __init__(self, base_url: str) -> None:
        # limit=0: the worker's own queue is the bound; waiting here would hide the overload from it.
        # The address is kept while it serves: a drill met an engine's name server that failed for 2 s.
        self._addresses = KeptAddresses()
        pooled = TCPConnector(limit=0, keepalive_timeout=KEEPALIVE, use_dns_cache=False, resolver=self._addresses)
        self._pooled = ClientSession(base_url, connector=pooled, timeout=LIMITS)
        fresh = TCPConnector(limit=0, force_close=True, use_dns_cache=False, resolver=self._addresses)
        self._fresh = ClientSession(base_url, connector=fresh, timeout=LIMITS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._pooled.close()
        await self._fresh.close()
        await self._addresses.close()

    async def refresh(self) -> None:
        """Learn the worker's model. Raises DependencyUnavailable when it does not answer as it should."""
        try:
            self.identity = await self._describe()
        except BaseException:  # also of a sample that was given up: the worker may have moved
            self._addresses.forget()
            raise

    async def _describe(self) -> Identity:
        try:
            async with self._pooled.get("/model") as response:
                body = await response.read()
        except (ClientError, OSError) as error:
            raise DependencyUnavailable("worker", reason(error)) from error
        if response.status != 200:
            raise DependencyUnavailable("worker", f"it answered {response.status}")
        try:
            return Identity.model_validate_json(body)
        except ValidationError as error:
            raise DependencyUnavailable("worker", "it did not describe its model") from error

    async def embed(self, items: Sequence[Item], budget: float) -> Answer:
        """Embed texts, or token ids, within `budget` seconds.

        Raises RefusedInputError for an input the worker refuses, Overloaded, DeadlineExceeded, or
        DependencyUnavailable.
        """
        kind = "texts" if isinstance(items[0], str) else "token_ids"
        ends = asyncio.get_running_loop().time() + budget
        try:
            async with asyncio.timeout_at(ends):
                response, body = await self._post(orjson.dumps({kind: items}), ends)
        except TimeoutError as error:
            if asyncio.get_running_loop().time() < ends:
                raise DependencyUnavailable("worker", reason(error)) from error
            raise DeadlineExceeded("the worker did not answer within the request's time budget") from error
        except (ClientError, OSError) as error:
            raise DependencyUnavailable("worker", reason(error)) from error
        if response.status != 200:
            raise refusal(response, body)
        return read_answer(response, body, len(items))

    async def _post(self, payload: bytes, ends: float) -> tuple[ClientResponse, bytes]:
        """Send it; once more if the connection failed: embedding changes nothing, so it may be done twice."""
        try:
            return await self._send(self._pooled, payload, ends)
        except TimeoutError:
            raise
        except (ClientConnectionError, ClientPayloadError, ConnectionError):
            WORKER_RETRIES.inc()
            self._addresses.forget()
            # Not from the pool: after a restart of the worker every connection in there is dead.
            return await self._send(self._fresh, payload, ends)

    async def _send(self, session: ClientSession, payload: bytes, ends: float) -> tuple[ClientResponse, bytes]:
        left = max(0.001, ends - asyncio.get_running_loop().time())
        headers = {
            "Accept": "application/octet-stream",
            "Content-Type": "application/json",
            deadline.HEADER: f"{left:.3f}",
        }
        if name := request_id.current():  # of a shared miss, the id of the request that came first
            headers[request_id.HEADER] = name
        async with session.post("/embeddings/", data=payload, headers=headers) as response:
            return response, await response.read()


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
