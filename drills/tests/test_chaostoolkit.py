"""The experiments for the Chaos Toolkit are what it takes, and their commands are those that we have."""

import json
from pathlib import Path
from typing import Any

import pytest

from drills.__main__ import main
from drills.chaostoolkit import PYTHON, experiment
from drills.matrix import ROWS
from drills.row import Row
from drills.steps import STEPS
from stack import cli

IDS = [row.name for row in ROWS]


def activities(found: dict[str, Any]) -> list[dict[str, Any]]:
    """All probes and actions of an experiment."""
    return [*found["steady-state-hypothesis"]["probes"], *found["method"], *found["rollbacks"]]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_an_experiment_has_what_the_toolkit_demands(row: Row) -> None:
    """Title, description and method; activities with type, name and provider; hypotheses with a tolerance."""
    found = experiment(row)
    assert found["title"] == row.claim
    assert found["description"]
    assert found["steady-state-hypothesis"]["probes"]
    assert all("tolerance" in each for each in found["steady-state-hypothesis"]["probes"])
    for each in activities(found):
        provider = each["provider"]
        assert each["type"] in ("probe", "action")
        assert each["name"]
        assert provider["url"].startswith("${api_url}/") if provider["type"] == "http" else provider["path"]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_its_commands_can_be_parsed(row: Row) -> None:
    """Each is one of `python -m stack`'s, or `make drills` for the drill itself."""
    for each in activities(experiment(row)):
        provider = each["provider"]
        if provider["type"] == "http":
            continue
        if provider["path"] == "make":
            assert provider["arguments"] == ["drills", f"DRILLS=test_{row.name}"]
            continue
        assert (provider["path"], provider["arguments"][:2]) == (PYTHON, ["-m", "stack"])
        assert cli._parser().parse_args(provider["arguments"][2:]).command


def test_every_fault_that_lasts_is_undone_twice() -> None:
    """At the end of the method, so that the steady state is proven after it, and again if the method was cut short."""
    for name, steps in STEPS.items():
        found = experiment(next(row for row in ROWS if row.name == name))
        undone = [f"stack {each}" for each in steps.undo]
        names = {part: [each["name"] for each in found[part]] for part in ("method", "rollbacks")}
        assert names["method"][len(names["method"]) - len(undone) :] == undone
        assert names["rollbacks"][: len(undone)] == undone


def test_the_rollbacks_are_always_played() -> None:
    """By default the toolkit leaves them out after Ctrl-C, and when the steady state isn't back."""
    found = [experiment(row) for row in ROWS]
    assert all(each["runtime"] == {"rollbacks": {"strategy": "always"}} for each in found if each["rollbacks"])


def test_an_experiment_with_steps_claims_no_more_than_it_checks() -> None:
    """A probe in its method, that can't fail only records, and the description says what is checked."""
    for name in STEPS:
        found = experiment(next(row for row in ROWS if row.name == name))
        probes = [each for each in found["method"] if each["type"] == "probe"]
        assert {each["name"] for each in probes} <= {"record what the api's /readyz says"}
        assert found["description"].endswith(
            f"Checked here is the steady state, before and afterwards; the rest by: make drills DRILLS=test_{name}."
        )


def test_a_whole_drill_that_is_broken_fails_its_experiment() -> None:
    """Its exit status is held to a tolerance, once; an action that fails ends nothing."""
    whole = [experiment(row) for row in ROWS if row.name not in STEPS]
    assert whole
    for found in whole:
        [probe] = found["steady-state-hypothesis"]["probes"]
        assert (probe["provider"]["path"], probe["tolerance"], found["method"]) == ("make", 0, [])
        assert found["runtime"] == {"hypothesis": {"strategy": "after-method-only"}}


def test_a_service_gets_the_settings_of_the_drill_and_its_own_back() -> None:
    """A switch needs FAULTS_ENABLED, which the rollback takes away again."""
    found = experiment(next(row for row in ROWS if row.name == "event_loop_blocked"))
    first, *_ = found["method"]
    assert first["provider"]["arguments"][2:] == [
        *("restart", "api", "FAULTS_ENABLED=1"),
        "GUNICORN_CMD_ARGS=--timeout 2",
    ]
    assert found["rollbacks"][-1]["provider"]["arguments"][2:] == ["restart", "api"]


def test_the_command_writes_a_file_for_each_drill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says where."""
    assert main(["export", str(tmp_path)]) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [file.stem for file in files] == IDS
    assert json.loads(files[0].read_text())["title"] == ROWS[0].claim
