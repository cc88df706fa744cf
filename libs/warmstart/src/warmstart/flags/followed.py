"""The flags of a process: replaced as a whole when their file has changed, and shown in probes, metrics and log."""

import asyncio
import difflib
import logging
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Generic, Self

from prometheus_client import Counter, Gauge

from warmstart.errors import DependencyUnavailable
from warmstart.flags.text import TOLD, M, Read, parse, shown, values
from warmstart.lifecycle.fatal import Fatal
from warmstart.lifecycle.resources import Resource
from warmstart.settings.files import content
from warmstart.settings.watched import WatchedFile, complain

log = logging.getLogger("warmstart.flags")

VARIABLE = "FLAGS_FILE"
LARGEST = 64 * 2**10  # bytes of a file
DIGITS = 12  # of a SHA-256 that are shown
SEEN = "warmstart.flags"  # the key of a scope

PROCESSES = Gauge(
    "warmstart_flag_processes",
    "Processes of the pod in which a flag has a value",
    ["flag", "value"],
    multiprocess_mode="livesum",
)
CHANGED = Counter("warmstart_flag_changes", "Flags that got another value while the process ran")
REFUSED = Counter("warmstart_flags_refused", "Versions of the file of flags that were refused while the process ran")


class FollowedFlags(Generic[M]):
    """Flags by default, or as `file` has them: `FLAGS = FollowedFlags(Flags(), settings.flags_file)`.

    `resource()` is what reads and follows the file. Without it the defaults hold, as in a unit test.
    """

    def __init__(self, defaults: M, file: Path | None = None) -> None:
        self.file = file
        self._defaults = defaults
        self._read = Read(defaults)
        self._watched = WatchedFile(self._content, self._use, self._refused)
        _count({}, values(defaults))

    @property
    def now(self) -> M:
        """The flags: one object, which doesn't change. Look once for what belongs together."""
        return self._read.flags

    def of(self, scope: MutableMapping[str, Any]) -> M:
        """The flags of one request: those of its first look, until it ends."""
        seen: M = scope.setdefault(SEEN, self.now)
        return seen

    def resource(self) -> Resource[Self]:
        """Reads the file, or ends the start; follows it while the process serves. Without a file the defaults hold.

        Its check fails while the file can't be used, and never gates: the flags that were read before go on.
        """
        return Resource("flags", self._open, check=_check, describe=_describe, gates=False)

    @property
    def complaint(self) -> str:
        """Why the file as it is now is not used, or nothing."""
        return self._watched.complaint

    @property
    def detail(self) -> str:
        """The flags, the version of the file, and what of it nothing reads."""
        told = " ".join(f"{name}={value}" for name, value in values(self.now).items())
        unknown = f"; nothing reads {_names(self._read.unknown)}" if self._read.unknown else ""
        version = f"sha256 {self._read.sha256[:DIGITS]}" if self.file else "by default"
        return f"{told} ({version}){unknown}"

    @asynccontextmanager
    async def _open(self, app: Any) -> AsyncIterator[Self]:
        if self.file is None:
            yield self
            return
        await asyncio.to_thread(self._watched.begin)
        if self.complaint:
            raise Fatal(self.complaint)
        watching = app.state.lifecycle.spawn(f"watch {VARIABLE}", self._watched.watch)
        try:
            yield self
        finally:
            watching.cancel()

    def _content(self) -> bytes:
        return content(VARIABLE, str(self.file), LARGEST)

    def _use(self, found: bytes) -> None:
        """Raises ValueError, and changes nothing, for a content that can't be understood."""
        try:
            read = parse(found, self._defaults)
        except ValueError as error:
            raise ValueError(f"{VARIABLE}: {error}: {self.file}") from None
        before, self._read = self._read, read
        old, new = values(before.flags), values(read.flags)
        changed = [name for name in new if old[name] != new[name]]
        said = ", ".join(f"{name} {old[name]} -> {new[name]}" for name in changed) or "none changed"
        level = logging.WARNING if changed else logging.INFO
        log.log(level, "flags: %s (sha256 %s of %s)", said, read.sha256[:DIGITS], self.file)
        if read.unknown and read.unknown != before.unknown:
            known = [*type(read.flags).model_fields]
            log.warning("%s: nothing reads %s", VARIABLE, _names(read.unknown, known))
        _count({name: old[name] for name in changed}, {name: new[name] for name in changed})
        if before.sha256:
            CHANGED.inc(len(changed))

    def _refused(self, why: str) -> None:
        REFUSED.inc()
        complain(why)


async def _check(flags: FollowedFlags[Any]) -> None:
    if flags.complaint:
        raise DependencyUnavailable("flags", flags.complaint)


def _describe(flags: FollowedFlags[Any]) -> str:
    return flags.detail


def _count(old: dict[str, str], new: dict[str, str]) -> None:
    for of, number in ((old, 0), (new, 1)):
        for name, value in of.items():
            PROCESSES.labels(name, value).set(number)


def _names(unknown: tuple[str, ...], known: list[str] | None = None) -> str:
    """Some names, with what each may mean."""
    told = []
    for name in unknown[:TOLD]:
        meant = difflib.get_close_matches(name, known or [], n=1)
        told.append(f"{shown(name)} (did you mean {meant[0]}?)" if meant else shown(name))
    return ", ".join(told) + (f" and {len(unknown) - TOLD} more" if len(unknown) > TOLD else "")
