"""Reserves the blocks of a process's metric files before they are written, or keeps the metrics in memory.

prometheus_client writes through a mapping of a sparse file. Where the disk has no block for a page, the kernel ends the
process by SIGBUS, whatever it was doing.
"""

import errno
import logging
import mmap
import os
from pathlib import Path
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

log = logging.getLogger("warmstart.metrics")

FULL = (errno.ENOSPC, errno.EDQUOT)
FIRST = 1 << 16  # bytes of a new file, as prometheus_client makes it
ENTRY = 32  # bytes of an entry beside its key, at most: a length, padding and two numbers


class Reserved(MmapedDict):
    """A metric file. On a full disk it continues in memory, and no scrape has what this process counts from then on."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            with Path(filename).open("a+b") as file:
                fits = _reserve(file.fileno(), max(FIRST, file.tell()))
            filename = filename if fits else _in_memory(filename)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        capacity: int = self._capacity
        while self._used + len(key.encode()) + ENTRY > capacity:
            capacity *= 2
        if capacity > self._capacity and not _reserve(self._f.fileno(), capacity):
            self._leave()
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _leave(self) -> None:
        memory: Any = Path(_in_memory(self._fname)).open("a+b")  # noqa: SIM115 - prometheus_client closes it
        memory.write(self._m)
        memory.flush()
        self._m.close()
        self._f.close()
        self._f, self._m = memory, mmap.mmap(memory.fileno(), self._capacity)


def install() -> None:
    """Use `Reserved` for every metric that this process makes from now on."""
    values.MmapedDict = Reserved  # type: ignore[attr-defined]


def _reserve(file: int, size: int) -> bool:
    """Whether the file now has blocks for `size` bytes; True where the file system can't tell."""
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        return error.errno not in FULL
    return True


def _in_memory(filename: str) -> str:
    log.error("no space for %s: /metrics lacks what this process counts there", filename)
    return f"/proc/self/fd/{os.memfd_create('metrics')}"
