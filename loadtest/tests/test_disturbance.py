"""On a busy machine the lab still reports, and says so wherever a figure stands."""

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from loadtest import coldstart
from loadtest.coldstart_check import judge
from loadtest.lab.disturbance import MARK, banner, reason
from loadtest.lab.gate import MIN_STARTS, MIN_UNDISTURBED
from loadtest.lab.measurement import Measurement, Trial
from loadtest.lab.others import Programs
from loadtest.report import tables
from loadtest.report.page import write
from loadtest.tests.test_report import MACHINE, SHAPES
from stack import EmbeddedStack, free_ports, until

FAKE = {"ENGINE": "fake", "DRAIN_SECONDS": "0"}
USED = {"firefox": 0.3, "cc1": 0.04}
CALM = Trial(1, "warm", "quiet", {"readyz": 1.0, "first_embedding": 1.1}, {"engine": "fake"}, shapes=SHAPES)
BUSY = replace(
    CALM,
    number=2,
    valid=False,
    reason=reason(0.4, 0.05),
    others=0.4,
    stolen=0.05,
    busiest={"firefox": 0.3, "cc1": 0.04},
)
LATE = replace(CALM, number=3, valid=False, reason="the load generator fell behind", others=0.01)


def measured(*trials: Trial) -> Measurement:
    return Measurement({**MACHINE, "versions": {}}, {"warm": {"ENGINE": "fake"}}, trials)


@contextmanager
def spinning() -> Iterator[None]:
    """Busy processes on a fifth of the CPUs or more, none of them a child of this process, for two minutes at most."""
    count = str(math.ceil((psutil.cpu_count() or 1) / 5))
    code = "import time; end = time.monotonic() + 120\nwhile time.monotonic() < end: pass"
    shell = 'for i in $(seq "$1"); do "$2" -c "$3" > /dev/null & echo $!; done'
    argv = ["sh", "-c", shell, "sh", count, sys.executable, code]
    started = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, start_new_session=True)
    processes = [psutil.Process(int(pid)) for pid in started.stdout.split()]
    try:
        yield
    finally:
        for each in processes:
            each.kill()


def test_a_trial_on_a_busy_machine_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`make coldstart TRIALS=1` beside busy programs: page and picture, which name the programs, and exit code 2."""
    with EmbeddedStack(tmp_path / "stack", free_ports(), parts=("worker",), environment=FAKE):
        arguments = [
            "--trials=1",
            "--strategies=artifact",
            "--kinds=quiet",
            "--set=ENGINE=fake",
            "--set=DRAIN_SECONDS=0",
        ]
        with spinning():
            code = coldstart.main([*arguments, f"--root={tmp_path / 'stack'}", f"--folder={tmp_path / 'report'}"])
    out = capsys.readouterr().out
    page = (tmp_path / "report" / "index.html").read_text()
    assert code == 2, out
    assert "DISTURBED. This machine was busy: 1 of the 1 starts" in out
    assert "Other programs used" in page
    assert "Most of it: " in page
    assert f"artifact {MARK}" in page
    assert (tmp_path / "report" / "coldstart.png").exists()


def test_the_banner_says_what_disturbed_the_figures(tmp_path: Path) -> None:
    """How many starts, how much of the CPUs, the host's part, which programs, and how often the generator was late."""
    said = banner(measured(BUSY, LATE, replace(BUSY, others=0.2, stolen=0.0)), ["warm"])
    assert "3 of the 3 starts" in said
    assert "Other programs used 28% (20% to 35%) of its CPUs; a comparison allows 10%." in said
    assert "The host of this virtual machine took another 5%." in said
    assert "Most of it: firefox (20%), cc1 (3%)." in said
    assert "In 1, the load generator fell behind" in said
    write(measured(BUSY), tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "<strong>Disturbed.</strong> This machine was busy" in page
    assert (
        "Trial 2 (warm) was disturbed: other programs used 35% of the CPUs, the host of this virtual machine 5%" in page
    )


def test_figures_of_quiet_starts_are_not_marked(tmp_path: Path) -> None:
    """A disturbed start is left out where there is another of its kind, and said to be."""
    measurement = measured(CALM, BUSY)
    assert banner(measurement, ["warm"]) == ""
    assert [row[:2] for row in tables.comparison(measurement)[1:]] == [["warm", "1"]]
    assert tables.comparison(measured(BUSY))[1][:2] == [f"warm {MARK}", "1"]
    write(measurement, tmp_path)
    assert "Trial 2 (warm) is left out" in (tmp_path / "index.html").read_text()


def test_the_gate_does_not_judge_what_was_disturbed(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 whatever the ratio is, 1 where the budget is too small all the same; quiet starts are judged."""
    many = measured(*(BUSY,) * MIN_STARTS)  # their first requests take four times the steady p50
    assert judge(many, "warm", budget=60) == 2
    assert "UNDECIDED" in capsys.readouterr().err
    assert judge(many, "warm", budget=2) == 1
    assert "the start budget of compose.yaml is 2 s" in capsys.readouterr().err
    assert judge(measured(CALM, *(BUSY,) * MIN_STARTS), "warm", budget=60) == 1
    assert "UNDECIDED" not in capsys.readouterr().err


def test_the_gate_does_not_pass_on_a_few_starts(capsys: pytest.CaptureFixture[str]) -> None:
    """One good start among disturbed ones says little; ten do, and a bad one is enough to fail."""
    good = replace(CALM, shapes={"3 words": (1.0,) * 15})
    lucky = measured(good, *(BUSY,) * MIN_STARTS)
    assert judge(lucky, "warm", budget=60) == 2
    assert "Undisturbed starts measured: 1;" in capsys.readouterr().err
    assert judge(measured(*(good,) * MIN_UNDISTURBED, *(BUSY,) * MIN_STARTS), "warm", budget=60) == 0


def test_programs_are_named_by_what_they_use() -> None:
    """Other programs, the busiest first; what belongs to the measurement is none of them."""
    programs = Programs()
    with spinning():
        until(lambda: any(name.startswith("python") for name in programs.busiest([])), 20, "a busy python")
        # One that has just begun may be in no list yet: it is in the next.
        until(lambda: programs.busiest(psutil.pids()) == {}, 20, "none, since all belong to the measurement")
