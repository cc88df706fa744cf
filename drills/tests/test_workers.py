"""The calls of each worker are counted by windows of time."""

from pathlib import Path

import pytest

from drills.workers import Tally, calls
from loadtest.openloop import Row
from tests.harness import answers

METRICS = f"""\
{answers("GET", "/model", 200)} 7.0
{answers("POST", "/embeddings/", 200)} 40.0
{answers("POST", "/embeddings/", 503)} 2.0
""".encode()


def request(at: float, status: int = 200) -> Row:
    """One that was due at this moment."""
    return Row(0, "embedding", at, at, done=at, status=status)


@pytest.fixture
def tally(tmp_path: Path) -> Tally:
    """Of two workers: one answers ten calls a second, the other joins after 10 s, and then answers as many."""
    tally = Tally(tmp_path, [])
    tally.join(["http://127.0.0.1:1", "http://127.0.0.1:2"])
    for each in tally.workers:
        each.stop()
    first, second = tally.workers
    first.counts = [(100.0 + second, 10 * second) for second in range(31)]
    second.counts = [(110.0 + second, 5 + 10 * second) for second in range(21)]
    return tally


def test_only_calls_for_embeddings_count() -> None:
    """Those of all statuses do, and questions about the model don't."""
    assert calls(METRICS) == 42


def test_calls_before_the_first_look_are_no_windows(tally: Tally) -> None:
    """A worker that joined with five calls has answered none of them between two later moments."""
    assert tally.between(100.0, 105.0) == [50, 0]
    assert tally.between(105.0, 120.0) == [150, 100]


def test_windows_end_with_the_requests(tally: Tally) -> None:
    """From 110 on, there were requests for 20 s: the last window is cut short, and its lost request is counted."""
    rows = [request(110.0 + number) for number in range(20)] + [request(130.0, 503)]
    assert tally.windows(110.0, rows) == {
        "calls_of_each_0_to_5_s": "50, 50; of 5 requests 0 lost",
        "calls_of_each_5_to_15_s": "100, 100; of 10 requests 0 lost",
        "calls_of_each_15_to_20_s": "50, 50; of 6 requests 1 lost",
    }


def test_each_count_is_a_line_of_the_file(tally: Tally, tmp_path: Path) -> None:
    """The worker by its number, the moment, and the calls by then."""
    with tally:
        pass
    lines = (tmp_path / "workers.jsonl").read_text().splitlines()
    assert len(lines) == 52
    assert lines[31] == '{"worker": 2, "at": 110.0, "calls": 5}'
