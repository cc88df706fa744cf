"""What the job that replaces a model says: on a terminal, and in a log."""

import io

import pytest

from api.reindex.output import Output
from api.reindex.progress import Progress, duration

pytestmark = pytest.mark.anyio


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_progress_stays_on_the_last_line() -> None:
    """What is said after it stands on a line of its own, without remains of the progress."""
    stream = Terminal()
    output = Output(stream)
    output.progress(0.5, "5 of 10, and more")
    output.progress(1.0, "10 of 10")
    output.line("done")
    bar = "#" * 12 + "." * 12
    assert stream.getvalue().split("\r") == [
        f"[{bar}] 5 of 10, and more",
        f"[{'#' * 24}] 10 of 10".ljust(44),
        "done".ljust(35) + "\n",
    ]


def test_elsewhere_each_progress_is_a_line() -> None:
    """A log has no last line."""
    stream = io.StringIO()
    Output(stream).progress(0.5, "5 of 10")
    assert stream.getvalue() == "5 of 10\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (3599.6, "1 h 00 min"), (7384, "2 h 03 min")],
)
def test_the_time_left_is_readable(seconds: float, words: str) -> None:
    """Rounded to seconds, or with hours to minutes."""
    assert duration(seconds) == words


async def test_the_rate_is_that_of_the_last_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour at another rate, or an outage, says nothing of the time left."""
    now = 0.0
    monkeypatch.setattr("api.reindex.progress.monotonic", lambda: now)
    stream = io.StringIO()
    progress = Progress(None, Output(stream))
    await progress.counted(10_000, 10_000)
    for seconds, number in ((3600, 10), (3620, 10), (3635, 490), (3645, 500)):
        now = seconds
        await progress.made_more(number)
    assert stream.getvalue().splitlines()[-1] == "1,010 of 10,000 documents, 40/s, 3 min 47 s left"
