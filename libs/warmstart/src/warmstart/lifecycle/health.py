"""Health of one opened resource, sampled in the background and cached."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from warmstart.errors import DependencyUnavailable, ServiceError
from warmstart.lifecycle.fatal import Fatal, is_hopeless

PATIENCE = 2  # samples, as many as the readiness probe's threshold: a single slow sample says little


class HealthSampler:
    """Runs `check(value)`; a hung check is abandoned, never waited for.

    Cancelling a query on a hung Postgres can itself hang (asyncpg issue 1326), so `wait_for` is not used here. A check
    must have time limits of its own, or abandoned checks accumulate.
    """

    def __init__(self, check: Callable[[Any], Awaitable[None]], value: object, limit: float) -> None:
        self._check = check
        self._value = value
        self._limit = limit
        self._abandoned: deque[asyncio.Task[Exception | None]] = deque(maxlen=10)  # the event loop's reference is weak

    async def sample(self, closing: asyncio.Task[Any]) -> BaseException | None:
        """Return why the resource is unhealthy, or None, within `limit` seconds or when `closing` is done."""
        running = asyncio.create_task(self._run())
        await asyncio.wait({running, closing}, timeout=self._limit, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
            self._abandoned.append(running)
            return TimeoutError(f"no answer within {self._limit:g} s")
        return RuntimeError("the check was cancelled") if running.cancelled() else running.result()

    async def _run(self) -> Exception | None:
        try:
            await self._check(self._value)
        except Exception as error:  # noqa: BLE001 - whatever it is, the resource is not healthy
            return error
        return None


class Verdict:
    """The verdict of several samples: unhealthy after `PATIENCE` failures in a row, healthy after one success."""

    def __init__(self) -> None:
        self._failures = 0
        self._failing_since = 0.0

    def add(self, error: BaseException | None) -> BaseException | None:
        """Count one sample; returns why the resource is unhealthy now, or None."""
        if error is None:
            self._failures = 0
            return None
        if self._failures == 0:
            self._failing_since = time.monotonic()
        self._failures += 1
        return error if self._failures >= PATIENCE else None

    @property
    def failing_seconds(self) -> float:
        """Seconds since the first of the failures in a row."""
        return time.monotonic() - self._failing_since if self._failures else 0.0


def reason(error: BaseException) -> str:
    """One line for people: the error's first line; its type where the text needs it, as `'weights'` of a KeyError."""
    if isinstance(error, DependencyUnavailable):
        return error.reason
    if isinstance(error, ServiceError):  # whose text begins with a status, as of an answer
        return error.message
    if isinstance(error, BaseExceptionGroup):  # as a TaskGroup raises
        return reason(error.exceptions[0])
    if isinstance(refused := getattr(error, "os_error", None), OSError):  # of aiohttp, whose own text is long
        return f"{connect_reason(refused)} ({getattr(error, 'host', '')}:{getattr(error, 'port', '')})"
    text = str(error).strip().splitlines()
    if not text:
        return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    meant = isinstance(error, Exception) and (isinstance(error, Fatal) or not is_hopeless(error))
    return text[0] if meant else f"{type(error).__name__}: {text[0]}"


def connect_reason(error: OSError) -> str:
    """Why there is no connection, without its address: the system's text instead of asyncio's 'Connect call failed'."""
    said = error.strerror or str(error) or type(error).__name__
    return os.strerror(error.errno) if error.errno and "Connect call failed" in said else said
