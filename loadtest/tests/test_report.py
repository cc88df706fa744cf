"""The report says what the measurement holds, and the README what the committed one holds."""

from pathlib import Path

import pytest

from loadtest.lab.measurement import Measurement, Trial, Users
from loadtest.report import readme, tables
from loadtest.report.page import PICTURE, write

MACHINE = {
    "cpu": "a",
    "cpus": 2,
    "memory_gib": 8,
    "system": "Linux",
    "python": "3.11",
    "measured": "today",
    "stack": "s",
}
SHAPES = {shape: (40.0, *([10.0] * 14)) for shape in ("3 words", "1 sentence", "256 tokens", "32 sentences")}


@pytest.fixture
def measurement() -> Measurement:
    """Three starts of one strategy, one of which is invalid."""
    start = {"accept": 0.1, "first_answer": 0.2, "readyz": 2.0, "first_embedding": 2.25, "steady": 3.0}
    met = Users(10, 2, 1, {"503": 1}, (10.0, 20.0, 1500.0), (5000.0, 5500.0, 6000.0))
    trials = (
        Trial(1, "warm", "users", start, {"engine": "fake"}, users=met),
        Trial(2, "warm", "quiet", {**start, "first_embedding": 4.25, "steady": None}, shapes=SHAPES),
        Trial(3, "warm", "users", start, valid=False, reason="<the generator> fell behind", users=met),
    )
    return Measurement({**MACHINE, "versions": {"torch": "2"}}, {"warm": {"ENGINE": "fake"}}, trials)


def test_the_table_has_medians_ranges_and_people(measurement: Measurement) -> None:
    """Of valid trials only."""
    _, row = tables.comparison(measurement)
    assert row == [
        "warm",
        "2",
        "2.00 (2.00 to 2.00)",
        "3.25 (2.25 to 4.25)",
        "3.00 (3.00 to 3.00)",
        "50 %",
        "25 %",
        "25 %",
        "20 ms / 1.5 s / 1.5 s / 1.5 s",
        "4.00 (4.00 to 4.00)",
    ]


def test_a_figure_stays_on_one_line_with_its_range(measurement: Measurement, tmp_path: Path) -> None:
    """The page's style keeps such cells from breaking; those of words break."""
    write(measurement, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert ".figure { white-space: nowrap;" in page
    assert '<td class="figure">3.25 (2.25 to 4.25)</td>' in page
    assert '<td class="figure">20 ms / 1.5 s / 1.5 s / 1.5 s</td>' in page
    assert "<td>ENGINE=fake</td>" in page


def test_the_page_needs_nothing_but_itself(measurement: Measurement, tmp_path: Path) -> None:
    """Pictures are inside, and what was left out is said, escaped."""
    write(measurement, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert page.count('src="data:image/png;base64,') == 4
    assert "http://" not in page
    assert "https://" not in page
    assert "Trial 3 (warm) is left out: &lt;the generator&gt; fell behind" in page


def test_the_readme_has_the_committed_measurement() -> None:
    """Its table is made from the file; `python -m loadtest.report.readme` makes it again."""
    text = readme.README.read_text()
    assert text == readme.replaced(text, Measurement.load(readme.MEASURED))
    assert readme.PICTURE.exists()


def test_the_committed_measurement_has_enough_starts() -> None:
    """Ten of each strategy, and twenty of the default engine, as the probe budgets need them."""
    measurement = Measurement.load(readme.MEASURED)
    for name in ("lazy", "blocking", "warm", "artifact"):
        assert len(measurement.starts(name)) >= 10, name
    assert len([trial for trial in measurement.starts("artifact") if trial.start["readyz"]]) >= 20
