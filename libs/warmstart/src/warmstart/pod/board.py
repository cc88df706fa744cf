"""The process board: shared memory in which every process of a pod writes its state.

The memory is anonymous and made before the fork, so nothing outlives the pod. Each slot has one writer and two halves:
the writer fills the unused half, and then makes it the entry by changing one byte, so that a process that is killed
while it writes leaves its previous entry. A checksum tells a reader that it was overtaken by writes, or that a slot is
damaged.
"""

import json
import mmap
import multiprocessing
import struct
import zlib
from collections.abc import Collection
from dataclasses import asdict

from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import Entry

SPARE_SLOTS = 64
HALF_BYTES = 4096
SLOT_BYTES = 2 * HALF_BYTES
REASON_BYTES = (300, 100, 30, 0)  # bytes of each reason as UTF-8: the first of these limits with which all reasons fit
READ_ATTEMPTS = 10  # a reader is overtaken when its process's neighbour writes twice meanwhile; then it is damage

_HEADER = struct.Struct("<II")  # length, crc32
_FREE, _HALVES = 0, (1, 2)  # the first byte of a slot: which of its halves is the entry, or that it is free
_LARGEST = HALF_BYTES - 1 - _HEADER.size
_NUMBER = struct.Struct("<H")
# The pod's own numbers, each at an offset of its own: two processes may write two of them at the same time.
_FIRST_READY, _EXPECTED, _STOPPING, _WANTED = 0, 2, 4, 6


class Board:
    """`slots` entries and the pod's own facts, shared by all processes forked after it was made."""

    def __init__(self, slots: int = SPARE_SLOTS) -> None:
        self._slots = slots
        self._memory = mmap.mmap(-1, (slots + 1) * SLOT_BYTES)
        self._failure = multiprocessing.get_context("fork").Lock()
        self.expect(1)
        self.want(1)

    @property
    def first_ready(self) -> bool:
        """Whether the pod has once been ready; never unset."""
        return bool(self._number(_FIRST_READY))

    @property
    def expected(self) -> int:
        """How many processes first readiness needs."""
        return self._number(_EXPECTED)

    @property
    def stopping(self) -> bool:
        """Whether the whole pod stops, so that no process is replaced."""
        return bool(self._number(_STOPPING))

    @property
    def wanted(self) -> int:
        """How many processes the master keeps running."""
        return self._number(_WANTED)

    def expect(self, processes: int) -> None:
        """Set how many processes first readiness needs."""
        self._set(_EXPECTED, processes)

    def note_readiness(self) -> None:
        """Record first readiness if every expected process is ready now."""
        ready = sum(entry.phase is Phase.READY for entry in self.entries())
        if ready >= self.expected:
            self._set(_FIRST_READY, 1)

    def want(self, processes: int) -> None:
        """Set how many processes the master keeps running."""
        self._set(_WANTED, processes)

    def stop(self) -> None:
        """Record that the whole pod stops; never unset."""
        self._set(_STOPPING, 1)

    def _number(self, offset: int) -> int:
        return int(_NUMBER.unpack_from(self._memory, offset)[0])

    def _set(self, offset: int, number: int) -> None:
        _NUMBER.pack_into(self._memory, offset, number)

    def claim_failure(self) -> bool:
        """True for the first caller in the pod: only one process reports why the start failed."""
        return self._failure.acquire(block=False)

    def claim_slot(self) -> int:
        """Take a free slot (gunicorn's master does, before each fork). Raises RuntimeError when none is left."""
        for slot in range(1, self._slots + 1):
            if self._memory[slot * SLOT_BYTES] == _FREE:
                self.write(slot, Entry(0, Phase.STARTING))
                return slot
        raise RuntimeError(f"the process board has {self._slots} slots and all are taken")

    def write(self, slot: int, entry: Entry) -> None:
        """Replace the slot's entry; reasons are cut so that it fits."""
        payload = _encode(entry)
        start = slot * SLOT_BYTES
        half = _HALVES[self._memory[start] == _HALVES[0]]  # the other one
        begin = _beginning(start, half)
        written = _HEADER.pack(len(payload), zlib.crc32(payload)) + payload
        self._memory[begin : begin + len(written)] = written
        self._memory[start : start + 1] = bytes([half])

    def keep(self, slots: Collection[int]) -> None:
        """Free all slots but these."""
        for slot in set(range(1, self._slots + 1)).difference(slots):
            self.clear(slot)

    def clear(self, slot: int) -> None:
        """Free the slot of a process that is gone."""
        self._memory[slot * SLOT_BYTES : slot * SLOT_BYTES + 1] = bytes([_FREE])

    def read(self, slot: int) -> Entry | None:
        """The slot's entry, or None when the slot is free, or damaged."""
        start = slot * SLOT_BYTES
        for _ in range(READ_ATTEMPTS):
            half = self._memory[start]
            if half not in _HALVES:
                return None
            begin = _beginning(start, half)
            length, checksum = _HEADER.unpack(self._memory[begin : begin + _HEADER.size])
            begin += _HEADER.size
            payload = self._memory[begin : begin + min(length, _LARGEST)]
            if payload and zlib.crc32(payload) == checksum:
                fields = json.loads(payload)
                return Entry(**{**fields, "phase": Phase(fields["phase"])})
        return None

    def entries(self) -> list[Entry]:
        """All entries that can be read."""
        found = (self.read(slot) for slot in range(1, self._slots + 1))
        return [entry for entry in found if entry is not None]


def _beginning(start: int, half: int) -> int:
    """The offset of a half of the slot at `start`, after the byte that names the half."""
    return start + (half - 1) * HALF_BYTES + 1


def _encode(entry: Entry) -> bytes:
    """At most `_LARGEST` bytes: the reasons get shorter, and when the names alone are too many, some are left out."""
    names = list(entry.failures)
    size = iter(REASON_BYTES)
    limit = next(size)
    while True:
        cut = {name: entry.failures[name].encode(errors="replace")[:limit].decode(errors="ignore") for name in names}
        payload = json.dumps({**asdict(entry), "failures": cut}, ensure_ascii=False).encode(errors="replace")
        if len(payload) <= _LARGEST:
            return payload
        if limit:
            limit = next(size)
        else:
            names.pop()
