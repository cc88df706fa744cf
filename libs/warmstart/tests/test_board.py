"""The process board: shared between processes, whole or not at all."""

import os
from contextlib import suppress
from typing import Any

import pytest

from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import Entry
from warmstart.pod.board import SLOT_BYTES, Board


def test_a_forked_process_writes_what_its_parent_reads() -> None:
    """What a child writes into its slot, its parent reads; a cleared slot is free again."""
    board = Board(slots=2)
    slot = board.claim_slot()
    child = os.fork()
    if child == 0:
        board.write(slot, Entry(os.getpid(), Phase.READY, {"database": "gone"}))
        os._exit(0)
    os.waitpid(child, 0)
    assert board.entries() == [Entry(child, Phase.READY, {"database": "gone"})]
    board.clear(slot)
    assert board.entries() == []
    assert board.claim_slot() == slot


def test_first_readiness_needs_every_expected_process_and_stays() -> None:
    """First readiness comes with the last expected process, and no later loss takes it back."""
    board = Board(slots=3)
    board.expect(2)
    slots = [board.claim_slot(), board.claim_slot()]
    board.write(slots[0], Entry(1, Phase.READY))
    board.note_readiness()
    assert not board.first_ready
    board.write(slots[1], Entry(2, Phase.READY))
    board.note_readiness()
    board.clear(slots[0])
    board.note_readiness()
    assert board.first_ready


def test_only_one_process_reports_a_failed_start() -> None:
    """The first claim wins, for the pod's whole life."""
    board = Board()
    assert [board.claim_failure() for _ in range(3)] == [True, False, False]


AWKWARD = {
    "ascii": {"x": "y" * 5000},
    "non-ascii": {"model": "模型加载失败" * 500},
    "astral": {"model": "🦆" * 3000},
    "escapes": {"model": '"\\\n\0' * 3000},
    "surrogates": {"model": "\udcff" * 3000},
    "many": {f"resource-{n}": "Verbindung verweigert: größer " * 40 for n in range(60)},
    "more names than fit": {f"resource-{n:0100}": "down" for n in range(200)},
}


@pytest.mark.parametrize("failures", AWKWARD.values(), ids=AWKWARD.keys())
def test_an_entry_fits_its_slot_whatever_it_says(failures: dict[str, str]) -> None:
    """Reasons are cut by bytes, names are kept as long as they fit, and the slot's neighbours keep theirs."""
    board = Board(slots=3)
    neighbour = Entry(7, Phase.READY, {"cache": "down"})
    for slot in (1, 3):
        board.write(slot, neighbour)
    for _ in range(2):  # into each half
        board.write(2, Entry(2, Phase.WARMING, failures))
        first, entry, last = board.entries()
        assert (first, last) == (neighbour, neighbour)
        assert (entry.pid, entry.phase) == (2, Phase.WARMING)
        assert list(entry.failures) == list(failures)[: len(entry.failures)]
        assert len(entry.failures) == len(failures) or len(failures) == 200
        for name, reason in entry.failures.items():
            assert failures[name].encode(errors="replace").startswith(reason.encode())


class Dying:
    """Memory whose writer is killed after so many bytes."""

    def __init__(self, memory: Any, left: int) -> None:
        self._memory, self._left = memory, left

    def __getitem__(self, place: int | slice) -> Any:
        return self._memory[place]

    def __setitem__(self, place: slice, written: bytes) -> None:
        some = written[: self._left]
        self._memory[place.start : place.start + len(some)] = some
        self._left -= len(some)
        if len(some) < len(written):
            raise InterruptedError


def test_a_process_killed_while_it_writes_leaves_its_last_entry() -> None:
    """Wherever the kill comes, the slot holds the old entry or the new one; it can be cleared and taken again."""
    old, new = Entry(1, Phase.READY), Entry(1, Phase.DRAINING, {"cache": "gone", "database": "too"})
    seen = []
    for bytes_left in range(400):
        board = Board(slots=1)
        board.write(1, old)
        memory, board._memory = board._memory, Dying(board._memory, bytes_left)  # type: ignore[assignment]
        with suppress(InterruptedError):
            board.write(1, new)
        board._memory = memory
        seen.append(board.read(1))
        board.clear(1)
        assert board.claim_slot() == 1
    assert {entry.phase for entry in seen if entry} == {Phase.READY, Phase.DRAINING}
    assert all(entry in (old, new) for entry in seen)


class Overtaking:
    """Memory whose slot is written again twice after each of the reader's first `times` looks at a header."""

    def __init__(self, board: Board, times: int) -> None:
        self._memory: Any = board._memory
        self._board, self._times, self._written = board, times, 0

    def __getitem__(self, place: int | slice) -> Any:
        found = self._memory[place]
        if isinstance(place, slice) and self._times:
            self._times -= 1
            mine, self._board._memory = self._board._memory, self._memory
            for _ in range(2):
                self._written += 1
                self._board.write(1, Entry(self._written, Phase.READY, {"x": "y" * self._written}))
            self._board._memory = mine
        return found


def test_a_reader_that_is_overtaken_looks_again() -> None:
    """A half that was rewritten between its header and its text is never taken for an entry."""
    board = Board(slots=1)
    board.write(1, Entry(1000, Phase.WARMING))
    board._memory = Overtaking(board, times=5)  # type: ignore[assignment]
    entry = board.read(1)
    assert entry
    assert entry.failures == {"x": "y" * entry.pid}


@pytest.mark.parametrize("garbage", [b"\xff", b"\0", b"\x01", b"\x02", b"{}"])
def test_a_damaged_slot_is_never_waited_for(garbage: bytes) -> None:
    """It counts as no entry, it is not given away as long as it is not cleared, and its neighbours are read."""
    board = Board(slots=2)
    slots = [board.claim_slot(), board.claim_slot()]
    board.write(slots[1], Entry(2, Phase.READY))
    begin = slots[0] * SLOT_BYTES
    board._memory[begin + 1 : begin + SLOT_BYTES] = (garbage * SLOT_BYTES)[: SLOT_BYTES - 1]
    assert board.read(slots[0]) is None
    assert board.entries() == [Entry(2, Phase.READY)]
    with pytest.raises(RuntimeError):
        board.claim_slot()
    board.clear(slots[0])
    assert board.claim_slot() == slots[0]


def test_a_full_board_says_so() -> None:
    """Claiming a slot beyond the last raises with the number there is."""
    board = Board(slots=1)
    board.claim_slot()
    with pytest.raises(RuntimeError, match="1 slots"):
        board.claim_slot()
