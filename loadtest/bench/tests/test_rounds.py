"""Which system is measured when."""

import io
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from loadtest.bench import rounds as module
from loadtest.bench.cases import Durations, Row
from loadtest.bench.dialects import WORKER
from loadtest.bench.in_turns import WrongAnswers
from loadtest.bench.rounds import Rounds, compare, names, order, unknown
from loadtest.bench.server import Server, ServerEnded
from loadtest.bench.systems import Running, System
from loadtest.bench.table import progress


def test_every_system_once_a_round() -> None:
    """Whatever the round, nothing is left out and nothing comes twice."""
    for round_ in range(5):
        assert sorted(order(names(), round_)) == sorted(names())


def test_the_order_rotates() -> None:
    """No system is always the first, after which the machine is warm."""
    assert len({order(names(), round_)[0] for round_ in range(5)}) == 5


def test_a_limit_follows_its_worker() -> None:
    """It needs the load generator's share of the CPU in the same round, from the same minute."""
    for round_ in range(9):
        found = order(names(), round_)
        for engine in ("sentence-transformers", "onnx", "openvino"):
            assert found[found.index(f"worker-{engine}") + 1] == f"limit-{engine}"


def test_unknown_systems_are_named() -> None:
    """Any engine may be asked for; a peer that does not exist is an error."""
    assert unknown(["worker-fake", "limit-fake", "textbook", "texbook"]) == ["texbook"]


def test_a_system_that_fails_does_not_stop_the_others() -> None:
    """Its row says why, and it is not tried again."""
    file = io.StringIO()
    rounds = Rounds(["worker-nonsense"], Durations(0.1, 0.1), file)
    [row] = rounds.run(2)
    assert "bad setting ENGINE" in row["failed"]
    assert rounds.failed == {"worker-nonsense": row["failed"]}
    assert "bad setting ENGINE" in file.getvalue()


def test_a_limit_that_cannot_start_costs_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker's row keeps what was measured before, and says why nothing was compared; its own row has failed."""

    def fails(*_: object) -> Row:
        raise ServerEnded("exit code 1: no such engine")

    def launch(folder: Path) -> AbstractContextManager[Running]:
        return nullcontext(Server((), 1, folder, folder, {}))  # not started, as nothing asks it

    monkeypatch.setattr(module, "named", lambda name: System(name, WORKER, launch))
    monkeypatch.setattr(module, "measure", lambda *_: {"ready_seconds": 0.7})
    monkeypatch.setattr(module, "started", fails)
    monkeypatch.setattr(module, "measure_limit", fails)
    rounds = Rounds(["worker-onnx", "limit-onnx"], Durations(), io.StringIO())
    worker, limit, later = rounds.run(2)
    assert (worker["ready_seconds"], later["ready_seconds"]) == (0.7, 0.7)
    assert worker["not_in_turns"] == limit["failed"] == "ServerEnded: exit code 1: no such engine"
    assert "NOT IN TURNS: ServerEnded" in progress(worker, 2)
    assert list(rounds.failed) == ["limit-onnx"]
    assert "not_in_turns" not in later  # a limit that is left out is not tried again


def test_a_wrong_answer_in_turns_is_an_error_of_the_row() -> None:
    """The figures stay, and the run fails for it, as for a wrong answer in any other case."""

    def wrong() -> Row:
        raise WrongAnswers({"503": 2})

    row: Row = {"p50_ms_c1": 3.0, "errors": {"c32": {"reset": 1}}}
    compare(row, wrong)
    assert row["p50_ms_c1"] == 3.0
    assert row["errors"] == {"c32": {"reset": 1}, "in turns": {"503": 2}}
    assert "503" in row["not_in_turns"]
