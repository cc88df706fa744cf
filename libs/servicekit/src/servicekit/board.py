"""The process board: shared memory in which every process of a pod writes how it is.

The memory is anonymous and made before the fork, so nothing outlives the pod. Each slot has one writer; a
checksum lets readers recognise a slot that is being written.
"""

import json
import math
import mmap
import multiprocessing
import struct
import zlib
from dataclasses import asdict, dataclass, field

from servicekit.phase import Phase

SLOT_BYTES = 8192
SPARE_SLOTS = 64
REASON_CHARACTERS = 300

_PAYLOAD = struct.Struct("<II")  # length, crc32
_NUMBER = struct.Struct("<H")
# The pod's own numbers, each at an offset of its own: two processes may write two of them at the same time.
_FIRST_READY, _EXPECTED, _STOPPING, _WANTED = 0, 2, 4, 6


@dataclass(frozen=True)
class Entry:
    """One process: its phase, why each resource is not open and healthy, and since when it wants to leave."""

    pid: int
    phase: Phase
    failures: dict[str, str] = field(default_factory=dict)
    leaving_since: float = math.inf  # by the system's monotonic clock; it serves until others are ready in its place

    @property
    def leaving(self) -> bool:
        """Whether it waits for a successor, or goes."""
        return self.leaving_since < math.inf


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
        """How many processes the master keeps."""
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
        """Set how many processes the master keeps."""
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
            if self.read(slot) is None:
                self.write(slot, Entry(0, Phase.STARTING))
                return slot
        raise RuntimeError(f"the process board has {self._slots} slots and all are taken")

    def write(self, slot: int, entry: Entry) -> None:
        """Replace the slot's entry; long reasons are cut."""
        failures = {name: reason[:REASON_CHARACTERS] for name, reason in entry.failures.items()}
        payload = json.dumps({**asdict(entry), "failures": failures}).encode()
        start = slot * SLOT_BYTES
        header = _PAYLOAD.pack(len(payload), zlib.crc32(payload))
        self._memory[start : start + len(header) + len(payload)] = header + payload

    def clear(self, slot: int) -> None:
        """Free the slot of a process that is gone."""
        _PAYLOAD.pack_into(self._memory, slot * SLOT_BYTES, 0, 0)

    def read(self, slot: int) -> Entry | None:
        """The slot's entry, or None when it is free."""
        start = slot * SLOT_BYTES
        while True:
            length, checksum = _PAYLOAD.unpack_from(self._memory, start)
            if length == 0:
                return None
            payload = self._memory[start + _PAYLOAD.size : start + _PAYLOAD.size + length]
            if zlib.crc32(payload) == checksum:
                fields = json.loads(payload)
                return Entry(fields["pid"], Phase(fields["phase"]), fields["failures"], fields["leaving_since"])

    def entries(self) -> list[Entry]:
        """All taken slots."""
        found = (self.read(slot) for slot in range(1, self._slots + 1))
        return [entry for entry in found if entry is not None]
