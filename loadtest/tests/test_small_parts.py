"""Percentiles, steadiness, checks, stages, budgets and the clock of processes."""

import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from loadtest import checks
from loadtest.lab.birth import created
from loadtest.lab.gate import duration, over_budget, start_budget
from loadtest.lab.measurement import Measurement, Trial, Users
from loadtest.lab.others import Others
from loadtest.lab.steady import steady_since
from loadtest.lab.strategies import chosen
from loadtest.load.options import number
from loadtest.load.page import add_verdict
from loadtest.load.verdict import BROKEN, GOOD, INVALID, Thresholds, conclude
from loadtest.openloop import Row
from loadtest.openloop.verdict import judge
from loadtest.percentiles import percentile, summary
from stack import until
from stack.http import Answer
from stack.site import REPOSITORY

UNIT = array("f", [1.0, *([0.0] * 383)]).tobytes()


def rows(latencies: Sequence[float], failed: int = 0) -> list[Row]:
    """One every 0.1 s; the first ones failed."""
    return [
        Row(
            number, "kind", number / 10, number / 10, done=number / 10 + latency, status=503 if number < failed else 200
        )
        for number, latency in enumerate(latencies)
    ]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """Nearest rank, as Wikipedia's worked example has it; of nothing there is none."""
    values = [15, 20, 35, 40, 50]
    assert [percentile(values, share) for share in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
    assert summary(values) == {"min": 15, "p50": 35, "p95": 50, "p99": 50, "max": 50}
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_steady_state_begins_where_latency_stays_low() -> None:
    """After failures, and after the slow ones that came with the backlog."""
    slow_start = rows([0.0] * 30 + [1.0] * 15 + [0.01] * 155, failed=30)
    assert steady_since(slow_start, 0, until=20) == pytest.approx(4.5)
    assert steady_since(slow_start, 5.1, until=20) == pytest.approx(5.1)
    late_failures = rows([0.01] * 200, failed=190)
    assert steady_since(late_failures, 0, until=20) is None


def test_an_answer_is_checked_for_size_norm_and_identity() -> None:
    """A wrong dimension, a vector that is no unit, and another vector for the same text are told apart."""
    check = checks.rows(1)
    assert check(Answer(200, {}, UNIT)) == ""
    assert "bytes" in check(Answer(200, {}, UNIT[:-4]))
    assert "norm" in check(Answer(200, {}, array("f", [0.5] * 384).tobytes()))
    identity, unit = checks.Identity(), array("f", UNIT)
    assert identity.check("a", unit) == ""
    assert identity.check("a", unit) == ""
    assert "another vector" in identity.check("a", array("f", [0.0, 1.0, *([0.0] * 382)]))


def test_search_results_are_checked_for_order() -> None:
    """Best first, and the document that was meant."""

    def answer(*scores: float) -> Answer:
        results = [{"id": str(number), "score": score} for number, score in enumerate(scores)]
        return Answer(200, {}, json.dumps({"results": results}).encode())

    assert checks.found(2)(answer(0.9, 0.8)) == ""
    assert "order" in checks.found(2)(answer(0.8, 0.9))
    assert "limit" in checks.found(1)(answer(0.9, 0.8))
    assert checks.best_is("0")(answer(0.9)) == ""
    assert "instead of 1" in checks.best_is("1")(answer(0.9))


def test_thresholds_and_the_generator_decide_the_exit_code() -> None:
    """Failures and slowness are 1, a generator that fell behind 2, and nothing at all is no success."""
    limits, fine, late = Thresholds(failed=0.01, p95=0.5), judge([0.0]), judge([1.0])
    good = rows([0.1] * 100)
    assert conclude(good, limits, fine)[0] == GOOD
    assert conclude(rows([0.1] * 100, failed=2), limits, fine)[0] == BROKEN
    assert conclude(rows([0.1] * 90 + [1.0] * 10), limits, None)[0] == BROKEN
    assert conclude(good, limits, late)[0] == INVALID
    assert conclude(rows([2.1] * 100), limits, late)[0] == INVALID  # the lag itself, which latency contains
    assert conclude(rows([2.1] * 100, failed=2), limits, late)[0] == BROKEN
    assert conclude([], limits, fine)[0] == BROKEN


def test_a_threshold_is_a_number_that_can_be_broken() -> None:
    """NaN would be kept by everything, and 5 as a share too; the option is named."""
    share = number("MAX_FAILED", 1)
    assert [share(text) for text in ("0", "0.05", "1")] == [0, 0.05, 1]
    for text in ("nan", "5", "-1", "inf", "five"):
        with pytest.raises(SystemExit, match=f"MAX_FAILED={text} is no number from 0 to 1$"):
            share(text)


def test_locusts_report_carries_verdict_and_thresholds(tmp_path: Path) -> None:
    """Once, above what locust's script draws, escaped; a report that has one keeps it."""
    file = tmp_path / "index.html"
    file.write_text('<script>\'<div id="root">\'</script><body><div id="root"></div>')
    code, said = conclude(rows([0.1] * 90 + [1.0] * 10), Thresholds(failed=0.01, p95=0.5), None)
    add_verdict(file, code, f"{said} <b>")
    page = file.read_text()
    assert page.index("<body>") < page.index("A threshold is broken") < page.rindex('<div id="root">')
    assert "Thresholds: at most 1.00% of all requests fail, p95 within 0.5 s." in page
    assert "p95 is 1.00 s; allowed 0.5 s &lt;b&gt;" in page
    add_verdict(file, GOOD, "")
    assert file.read_text() == page


def test_the_start_budget_is_read_from_compose_yaml() -> None:
    """The real file's, in seconds; too few starts or too slow a one don't pass."""
    budget = start_budget(REPOSITORY / "compose.yaml")
    assert budget >= 30
    assert (duration("90s"), duration("1m30s"), duration("2m")) == (90, 90, 120)
    starts = [Trial(1, "artifact", "quiet", {"readyz": 5.0})] * 20
    assert over_budget(starts, 15) == []
    assert "15.0 s" in over_budget(starts, 14.9)[0]
    assert "19 starts" in over_budget(starts[:19], 60)[0]


def test_a_process_is_as_old_as_it_is() -> None:
    """Its creation is in the past, on the monotonic clock, to about 10 ms."""
    read_end, write_end = os.pipe()
    before = time.monotonic()
    child = os.fork()
    if child == 0:
        os.read(read_end, 1)
        os._exit(0)
    when = created(child)
    os.write(write_end, b"x")
    os.waitpid(child, 0)
    assert when is not None
    assert before - 0.05 <= when <= time.monotonic() + 0.05
    assert created(2**22 + 1) is None


def test_other_processes_work_is_seen() -> None:
    """A process that spins counts, unless the trial is about it."""
    others = Others()
    with subprocess.Popen((sys.executable, "-c", "while True: pass")) as spinning:
        try:
            until(lambda: psutil.Process(spinning.pid).cpu_times().user > 0.2, 20, "work")
            assert others.share([]) > others.share([spinning.pid]) + 0.001
        finally:
            spinning.kill()


def test_a_measurement_is_what_was_saved(tmp_path: Path) -> None:
    """Whatever a trial holds comes back from the file."""
    met = Users(10, 1, 2, {"503": 3}, (1.5, 2.5, 3.5), (0.1, 0.2, 0.3))
    first = Trial(1, "warm", "users", {"readyz": 1.0, "steady": None}, {"engine": "fake"}, users=met)
    second = Trial(2, "warm", "quiet", {"readyz": 1.0}, shapes={"3 words": (2.0, 1.0)}, idle={"3 words": 3.0})
    saved = Measurement({"cpu": "a"}, {"warm": {"ENGINE": "fake"}}, (first, second), rolling={"lost": 0})
    saved.save(tmp_path / "summary.json")
    assert Measurement.load(tmp_path / "summary.json") == saved


def test_a_disturbed_start_counts_for_the_budget_only() -> None:
    """It is slower than it would be alone, which is what a budget is for, and what a comparison isn't."""
    disturbed = Trial(1, "artifact", "quiet", {"readyz": 9.0}, valid=False, reason="other processes")
    calm = Trial(2, "artifact", "quiet", {"readyz": 1.0})
    measurement = Measurement({}, {}, (disturbed, calm))
    assert measurement.of("artifact") == [calm]
    assert measurement.starts("artifact") == [disturbed, calm]


def test_an_unknown_strategy_is_named() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=r"no such strategy: tepid \(there are lazy, "):
        chosen("lazy,tepid")


def test_an_empty_variable_of_the_starts_is_as_unset() -> None:
    """Empty STARTS, CPUS and PYTHONS leave seven starts, with three quotas, under three Pythons beside the own one."""
    code = (
        "from loadtest import startup_matrix as one, startup_profile as other;"
        "print(one.STARTS, other.STARTS, one.QUOTAS, {'3.12', '3.13', '3.14'} <= {*one.PYTHONS})"
    )
    empty = {**os.environ, "STARTS": "", "CPUS": "", "PYTHONS": ""}
    done = subprocess.run([sys.executable, "-c", code], env=empty, capture_output=True, text=True, check=True)
    assert done.stdout == "7 7 [0.5, 1.0, 2.0] True\n"
