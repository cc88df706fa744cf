"""Asks every worker for its probes: those of other addresses than the first, too."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Literal, NamedTuple

from aiohttp import ClientConnectorError, ClientError, ClientPayloadError, ClientResponse, ClientSession, ClientTimeout
from pydantic import ValidationError
from yarl import URL

from api.addresses import KeptAddresses
from api.system.figures import queue
from api.system.schemas import Part
from api.worker_secret import HEADER, REFUSED, WorkerSecret
from warmstart import faults_route
from warmstart.errors import DependencyUnavailable
from warmstart.faults import Faults
from warmstart.http.probes import StartupReport
from warmstart.lifecycle.health import connect_reason, reason

MOST = 16  # addresses that are asked
LIMIT = 1.0  # seconds for one worker's three answers
LARGEST = 2**20  # bytes of an answer that are read

FAILURES = (ClientError, OSError, TimeoutError, ValidationError)


class Turn(NamedTuple):
    """What became of the order to one worker: `error` is empty where it was obeyed."""

    address: str
    answered: bool
    error: str


class Workers:
    """The workers behind one URL."""

    def __init__(self, kind: Literal["worker", "next"], url: str, secret: WorkerSecret) -> None:
        self._kind = kind
        self._secret = secret
        self._url = URL(url)
        self._addresses = KeptAddresses(self._url.host or "", self._url.port or 0)
        self._session = ClientSession(timeout=ClientTimeout(total=LIMIT))

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
        await self._addresses.close()

    async def look(self) -> tuple[list[Part], int]:
        """Each of them now, and how many were not asked; never raises for what workers do."""
        try:
            hosts, unasked = await self._hosts()
        except OSError as error:
            return [self._away(self._url.host or "", reason(error))], 0
        found = await asyncio.gather(*map(self._ask, hosts))
        return without_idle_family(found), unasked

    async def _hosts(self) -> tuple[list[str], int]:
        """The addresses to ask, and how many more there are. Raises OSError."""
        async with asyncio.timeout(LIMIT):
            hosts = sorted(await self._addresses.get())
        return hosts[:MOST], max(0, len(hosts) - MOST)

    async def _ask(self, host: str) -> Part:
        asked = self._get(host, "/startupz"), self._get(host, "/readyz?verbose"), self._get(host, "/metrics")
        try:
            startup, readyz, metrics = await asyncio.gather(*asked)
            report = StartupReport.model_validate_json(startup[1])
        except FAILURES as error:
            return self._away(host, _why(error))
        return Part(
            kind=self._kind,
            address=self._name(host),
            ready=readyz[0] == 200,
            failing=failing(readyz[1].decode(errors="replace").splitlines()),
            startup=report,
            queue=queue(metrics[1]),
        )

    async def turn(self, switches: Faults) -> tuple[dict[str, str], int]:
        """Turn the fault switches of each.

        Returns by address why some were not turned, and how many were not asked. Raises DependencyUnavailable when none
        was turned.
        """
        try:
            hosts, unasked = await self._hosts()
        except OSError as error:
            raise DependencyUnavailable("worker", reason(error)) from error
        body = switches.model_dump_json(exclude_defaults=True).encode()
        turns = await asyncio.gather(*(self._turn(host, body) for host in hosts))
        if all(each.error for each in turns):
            first = min(turns, key=lambda each: not each.answered)  # who answers knows better why
            raise DependencyUnavailable("worker", first.error)
        living = {is_ipv6(each.address) for each in turns if each.answered}
        missed = {each.address: each.error for each in turns if each.error and is_ipv6(each.address) in living}
        return missed, unasked

    async def _turn(self, host: str, body: bytes) -> Turn:
        try:
            status, _ = await self._call("PUT", host, faults_route.PATH, body)
        except FAILURES as error:
            return Turn(self._name(host), answered=False, error=_why(error))
        return Turn(self._name(host), True, "" if status == 200 else f"its fault switches answered {status}")

    def _get(self, host: str, path: str) -> Awaitable[tuple[int, bytes]]:
        return self._call("GET", host, path)

    async def _call(self, method: str, host: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        url = self._url.with_host(host).join(URL(path))
        headers = {"Host": self._url.host_port_subcomponent or "", "Content-Type": "application/json"}
        headers |= self._secret.headers
        name = self._url.host if self._url.scheme == "https" else None
        async with self._session.request(method, url, data=body, headers=headers, server_hostname=name) as reply:
            if reply.status in REFUSED:
                self._secret.refused(headers.get(HEADER))  # the next look has another one
            return reply.status, await _whole(reply)

    def _away(self, host: str, why: str) -> Part:
        return Part(kind=self._kind, address=self._name(host), ready=False, error=why)

    def _name(self, host: str) -> str:
        return f"{host}:{self._url.port}"


def without_idle_family(parts: Sequence[Part]) -> list[Part]:
    """Without the addresses of an IP version on which no worker answers, while some answer on the other one.

    `localhost` has an address of each version, and most servers listen on one of them.
    """
    answering = {is_ipv6(part.address) for part in parts if part.startup}
    return [part for part in parts if not answering or is_ipv6(part.address) in answering]


def is_ipv6(address: str) -> bool:
    """Whether an address with a port is one of IPv6."""
    return address.count(":") > 1


async def _whole(reply: ClientResponse) -> bytes:
    """The body, which may come in many pieces. Raises ClientPayloadError for one that is too large."""
    body = bytearray()
    async for piece in reply.content.iter_any():
        body += piece
        if len(body) > LARGEST:
            raise ClientPayloadError(f"it answered more than {LARGEST} bytes")
    return bytes(body)


def failing(lines: Sequence[str]) -> list[str]:
    """The checks of `/readyz?verbose` that fail."""
    return [line.removeprefix("[-]") for line in lines if line.startswith("[-]")]


def _why(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return "it answered, but not as a worker does"
    # The address is named beside it.
    return connect_reason(error.os_error) if isinstance(error, ClientConnectorError) else reason(error)
