"""The lab finds the truth: a worker that is not warm when it says so is found out, whatever its probes say."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from loadtest.coldstart_check import judge
from loadtest.lab.gate import MIN_STARTS, STEADY_FROM, cold
from loadtest.lab.machine import describe
from loadtest.lab.measurement import Kind, Measurement, Trial
from loadtest.lab.rolling import rolling_restart
from loadtest.lab.run import SUMMARY, Lab
from loadtest.lab.strategies import Strategy
from loadtest.lab.trials import quiet_trial, users_trial
from loadtest.openloop import read
from loadtest.tests.slow_embed import slow_at_first
from stack import EmbeddedStack, free_ports

FIRST_SECONDS = 1.5
FAKE = Strategy("fake", "fake", {"ENGINE": "fake"})


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[EmbeddedStack]:
    """One whose worker the lab may start."""
    stack = EmbeddedStack(tmp_path / "stack", free_ports(), parts=("worker",))
    yield stack
    stack.down()


def slow(folder: Path, later: float, **settings: str) -> Strategy:
    """A strategy whose first embedding takes 1.5 s, and each later one `later` seconds."""
    return Strategy("slow", "slow", {**slow_at_first(folder, FIRST_SECONDS, later), **settings})


def twenty(trial: Trial) -> Measurement:
    """A measurement of as many starts as a budget needs; valid, whatever else runs beside the tests."""
    return Measurement({}, {}, (replace(trial, valid=True),) * MIN_STARTS)


def test_a_slow_first_request_fails_the_gate(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Without warm-up passes the first request takes 1.5 s although /readyz was 200: the check exits with 1."""
    trial = quiet_trial(stack, slow(tmp_path, 0.1, WARMUP_PASSES="off"), 1, requests=STEADY_FROM + 1)
    assert trial.shapes["3 words"][0] > FIRST_SECONDS * 1000
    assert "3 words: the first request after readiness" in "\n".join(cold([trial]))
    assert judge(twenty(trial), "slow", budget=60) == 1


def test_warm_up_passes_before_readiness_satisfy_the_gate(stack: EmbeddedStack, tmp_path: Path) -> None:
    """The same worker takes its 1.5 s before it is ready; blocking in its lifespan, it accepts but doesn't answer."""
    # With passes of 0.2 s, half of which is allowed beside: the first of milliseconds is late on any busy machine.
    trial = quiet_trial(stack, slow(tmp_path, 0.2, WARMUP="blocking"), 1, requests=STEADY_FROM + 1)
    assert cold([trial]) == []
    assert judge(twenty(trial), "slow", budget=60) == 0
    accept, answer = trial.start["accept"], trial.start["first_answer"]
    assert accept is not None
    assert answer is not None
    assert answer - accept > FIRST_SECONDS
    assert judge(twenty(trial), "slow", budget=answer * 2) == 1  # too small a budget


def test_a_start_under_arrivals_is_followed_to_steady_state(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Phases come in order, and users are refused, then answered; every one of them has a raw row."""
    # Passes of 0.1 s: a median of milliseconds is never steady on a busy machine.
    warm = Strategy("warm", "warm", slow_at_first(tmp_path, 0.1, 0.1))
    trial = users_trial(stack, warm, 1, tmp_path / "rows.jsonl")
    phases = ("accept", "first_answer", "first_embedding", "steady")  # readiness is seen by a slower clock
    times = [0.0, *(trial.start[phase] or 0 for phase in phases)]
    assert all(before <= after for before, after in pairwise(times)), trial.start
    assert trial.start["readyz"]
    assert trial.users is not None
    assert set(trial.users.failed) <= {"refused", "503", "reset", "closed"}
    assert trial.users.served + trial.users.waited > 50
    assert len(read(tmp_path / "rows.jsonl").rows) >= trial.users.arrived
    assert trial.engine["engine"] == "fake"
    assert not stack.pids("worker")


@pytest.mark.parametrize(("kinds", "trials"), [(["quiet"], 0), (["quiet"], -1), (["user", "quiet"], 1), ([""], 1)])
def test_a_measurement_of_nothing_keeps_the_last_one(
    stack: EmbeddedStack, tmp_path: Path, kinds: list[Kind], trials: int
) -> None:
    """It is refused, as is a kind of trial that there isn't, and would be measured as another."""
    Measurement({}, {}, ()).save(tmp_path / SUMMARY)
    with pytest.raises(ValueError, match="one trial or more, and kinds can be users and quiet"):
        Lab(stack, tmp_path).measure([FAKE], kinds, trials)
    assert (tmp_path / SUMMARY).exists()


def test_trials_are_added_to_those_of_the_same_kind_only(stack: EmbeddedStack, tmp_path: Path) -> None:
    """One figure would be of two machines, two commits or two settings."""
    here = describe("EmbeddedStack")
    lab = Lab(stack, tmp_path, more=True)
    for machine, settings, named in (
        ({**here, "cpu": "another"}, FAKE.environment, "another cpu:"),
        ({**here, "measured": "yesterday"}, {**FAKE.environment, "WARMUP": "lazy"}, "another fake:"),
    ):
        Measurement(machine, {"fake": settings}, ()).save(tmp_path / SUMMARY)
        with pytest.raises(ValueError, match=named):
            lab.measure([FAKE], ["quiet"], 1)


def test_a_rolling_restart_loses_nobody(stack: EmbeddedStack, tmp_path: Path) -> None:
    """One of two processes is replaced under load; the old one answers to its end, and every request is answered."""
    found = rolling_restart(stack, FAKE, tmp_path / "rows.jsonl", calm=1)
    assert found["failed"] == {}
    assert found["requests"] > 50
    assert found["replaced_after_seconds"] > 1
    processes = {row.process for row in read(tmp_path / "rows.jsonl").rows} - {None}
    assert len(processes) >= 2
