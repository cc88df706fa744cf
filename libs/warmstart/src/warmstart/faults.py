"""Fault switches for drills: a file says what is broken on purpose, and every process of the pod reads it.

The switches are off unless FAULTS_ENABLED=1. Every fault re-reads the file while it lasts, the blocked event loop and
the stuck call too, so that each can be switched off. A file that is missing, or that can't be understood, switches all
faults off.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from warmstart.errors import DependencyUnavailable
from warmstart.lifecycle.resources import Resource
from warmstart.settings.service import ServiceSettings

log = logging.getLogger("warmstart.faults")

BROKEN = "a fault switch makes it fail"
WALL_CLOCK = time.time
LOOK = 0.05  # seconds between two looks at the file


class Faults(BaseModel):
    """What is broken; by default nothing. Durations are seconds."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    slow_warmup: float = Field(0, ge=0, description="how much longer the start takes at least")
    failing_warmup: bool = Field(False, description="every attempt to start fails, and is retried")
    blocked_loop: bool = Field(False, description="the event loop stands still")
    slow_calls: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="by name of a thread: how much longer each of its calls takes"
    )
    failing_calls: frozenset[str] = Field(frozenset(), description="names of threads whose calls fail")
    deadly_text: str = Field("", description="inference of a text that holds it kills the process, by SIGKILL")
    failing_checks: frozenset[str] = Field(frozenset(), description="resources whose health check fails")
    unready: bool = Field(False, description="/readyz is 503")
    moved_clock: float = Field(0, ge=-1e9, le=1e9, description="seconds by which the wall clock, `time.time()`, is off")
    leaked_mb: int = Field(0, ge=0, le=8192, description="memory that is held for nothing")
    until: float | None = Field(None, description="when all of it ends by itself, as Unix time; none: never")


class Switches:
    """The switches in the file, as this process last read them; a plug-in of the lifecycle."""

    def __init__(self, file: Path | None) -> None:
        self.now = Faults()  # as of the last look
        self._file = file
        self._leak = b""
        self._too_much = 0  # megabytes that there was no memory for
        self._complaint = ""

    def over(self, resources: Sequence[Resource[Any]]) -> tuple[Resource[Any], ...]:
        """Return the resources under these switches, and one more that slows or fails the start."""
        return Resource("faults", self._open), *(self._checked(each) for each in resources)

    def unready(self) -> str | None:
        """Return why the pod is not ready, or None."""
        return BROKEN if self.now.unready else None

    def read(self) -> Faults:
        """Read the file."""
        try:
            read = Faults.model_validate_json(self._file.read_bytes()) if self._file else Faults()
            self.now = Faults() if read.until is not None and WALL_CLOCK() >= read.until else read
            self._complaint = ""
        except OSError:
            self.now = Faults()
        except ValueError as error:
            self.now = Faults()
            if str(error) != self._complaint:
                self._complaint = str(error)
                log.error("no fault is on: %s can't be understood: %s", self._file, error)
        return self.now

    def hold_call(self, thread: str) -> None:
        """Delay the calling thread by its `slow_calls`. Raises RuntimeError if its calls are to fail."""
        began = time.monotonic()
        while self._file and (left := began + self.read().slow_calls.get(thread, 0) - time.monotonic()) > 0:
            time.sleep(min(LOOK, left))
        if self._file and thread in self.read().failing_calls:
            raise RuntimeError(BROKEN)

    @asynccontextmanager
    async def _open(self, _: object) -> AsyncIterator[None]:
        log.warning("FAULTS_ENABLED: this process obeys %s", self._file)
        watching = asyncio.create_task(self._watch())
        try:
            began = time.monotonic()
            while time.monotonic() - began < self.read().slow_warmup:  # noqa: ASYNC110 - a file can't wake us
                await asyncio.sleep(LOOK)
            if self.now.failing_warmup:
                raise RuntimeError(BROKEN)
            yield
        finally:
            watching.cancel()
            _move_clock(0)

    async def _watch(self) -> None:
        before = self.now
        while True:
            if self.read() != before:
                before = self.now
                log.warning("fault switches: %s", before.model_dump_json(exclude_defaults=True))
            while self.read().blocked_loop:
                time.sleep(LOOK)  # noqa: ASYNC251 - this is the fault
            _move_clock(self.now.moved_clock)
            self._hold_memory(self.now.leaked_mb)
            await asyncio.sleep(LOOK)

    def _hold_memory(self, megabytes: int) -> None:
        """Hold so much. Where there is less, hold what was held, say so once, and let the other switches be obeyed."""
        if len(self._leak) == megabytes * 2**20:
            self._too_much = 0
            return
        try:
            self._leak = b"\1" * (megabytes * 2**20)  # zeros would take no memory
        except MemoryError:
            if megabytes != self._too_much:
                self._too_much = megabytes
                log.error("fault switches: there is no memory for leaked_mb=%d", megabytes)

    def _checked(self, resource: Resource[Any]) -> Resource[Any]:
        async def check(value: object) -> None:
            if resource.name in self.now.failing_checks:
                raise RuntimeError(BROKEN)
            if resource.check:
                await resource.check(value)

        return replace(resource, check=check)


def _move_clock(seconds: float) -> None:
    """Replace Python's wall clock; `datetime` and programs in C, which ask the system, are not deceived."""
    time.time = (lambda: WALL_CLOCK() + seconds) if seconds else WALL_CLOCK


def turn(file: Path, faults: Faults) -> None:
    """Write the file, at once. Raises DependencyUnavailable where that isn't allowed."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_text(faults.model_dump_json(exclude_defaults=True))
        unfinished.replace(file)
    except OSError as error:
        raise DependencyUnavailable("faults", f"the file of the switches can't be written: {error.strerror}") from error


def switches(settings: ServiceSettings) -> list[Switches]:
    """The plug-ins for `Lifecycle(…, plugins=switches(settings))`: none unless FAULTS_ENABLED."""
    return [Switches(settings.faults_file)] if settings.faults_enabled else []
