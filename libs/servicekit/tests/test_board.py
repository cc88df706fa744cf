"""The process board: shared between processes, whole or not at all."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from servicekit.board import REASON_CHARACTERS, Board, Entry
from servicekit.phase import Phase


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


def test_readers_never_see_half_an_entry() -> None:
    """While a writer alternates between two entries, every read is one of them, and long reasons are cut."""
    board = Board(slots=1)
    entries = [Entry(1, Phase.READY), Entry(2, Phase.WARMING, {"x": "y" * 5000})]
    cut = Entry(2, Phase.WARMING, {"x": "y" * REASON_CHARACTERS})
    board.write(1, entries[0])

    def alternate() -> None:
        for n in range(5000):
            board.write(1, entries[n % 2])

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(alternate)
        while not writing.done():
            assert board.read(1) in (entries[0], cut)


def test_a_full_board_says_so() -> None:
    """Claiming a slot beyond the last raises with the number there is."""
    board = Board(slots=1)
    board.claim_slot()
    with pytest.raises(RuntimeError, match="1 slots"):
        board.claim_slot()
