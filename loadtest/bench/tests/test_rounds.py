"""Which system is measured when."""

import io

from loadtest.bench.cases import Durations
from loadtest.bench.rounds import Rounds, names, order, unknown


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
