"""The composite action that runs drills in a user's pipeline."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from drills.options import Options

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "actions" / "drills"
GIVEN = {
    "DRILLS": 'redis "or" $(touch hacked)',
    "STACK": "compose",
    "REQUESTS": "200",
    "RUNS": "2",
    "ABORT_AFTER": "9",
    "REPORTS": "/tmp/reports",
    "PYTHON": "/usr/bin/python3.13",
}


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    """What GitHub reads."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / "action.yml").read_text())
    return found


@pytest.fixture(scope="module")
def step(action: dict[str, Any]) -> dict[str, Any]:
    """The one that runs the drills."""
    [found] = [step for step in action["runs"]["steps"] if "run" in step]
    return dict(found)


def test_it_is_a_composite_action(action: dict[str, Any]) -> None:
    """Each input has a description and a default, each foreign action a commit, each script a shell."""
    assert action["runs"]["using"] == "composite"
    assert action["name"]
    assert action["description"]
    assert all(each["description"] and isinstance(each["default"], str) for each in action["inputs"].values())
    for step in action["runs"]["steps"]:
        assert re.search(r"@[0-9a-f]{40}$", step["uses"]) if "uses" in step else step["shell"] == "bash"


def test_every_input_is_used_and_documented(action: dict[str, Any]) -> None:
    """And none is used that doesn't exist."""
    used = set(re.findall(r"\binputs\.([\w-]+)", (FOLDER / "action.yml").read_text()))
    page = (ROOT / "docs" / "drills.md").read_text()
    assert used == set(action["inputs"])
    documented = {
        name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall("[\\w-]+", row)
    }
    assert used <= documented


def test_inputs_are_variables_and_never_a_part_of_the_script(step: dict[str, Any]) -> None:
    """What somebody puts into a pull request's title must not be run."""
    assert "${{" not in step["run"]
    assert set(step["env"]) == set(GIVEN)


def test_the_python_that_was_asked_for_is_used(action: dict[str, Any], step: dict[str, Any]) -> None:
    """`make install` looks for python3.11 first, which a runner may have beside the one that was set up."""
    [setup] = [each for each in action["runs"]["steps"] if "python-version" in each.get("with", {})]
    assert step["env"]["PYTHON"] == f"${{{{ steps.{setup['id']}.outputs.python-path }}}}"


def run(folder: Path, command: tuple[str, ...], name: str, prints: str, **more: str) -> str:
    """What a command prints, with a stand-in that says what it was called with under that name in its PATH."""
    stand_in = folder / name
    stand_in.write_text(f"#!/bin/bash\n{prints}\n")
    stand_in.chmod(0o755)
    environment = {**os.environ, **GIVEN, **more, "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=True
    ).stdout


def test_the_script_runs_the_drills_that_were_chosen(step: dict[str, Any], tmp_path: Path) -> None:
    """`make drills` of this repository, wherever the job works, with the inputs in the environment."""
    output = tmp_path / "output"
    where = {"GITHUB_ACTION_PATH": str(FOLDER), "GITHUB_OUTPUT": str(output)}
    prints = 'echo "$*; $DRILLS $STACK $REQUESTS $RUNS $ABORT_AFTER $REPORTS $PYTHON"'
    said = run(tmp_path, ("bash", "-e", "-c", step["run"]), "make", prints, **where)
    assert said == f"-C {FOLDER}/../../.. drills; {' '.join(GIVEN.values())}\n"
    assert output.read_text() == "reports=/tmp/reports\n"
    assert Options.of(GIVEN) == Options(200, 2, Path("/tmp/reports"), 9)


def test_lines_of_a_block_are_one_expression(step: dict[str, Any], tmp_path: Path) -> None:
    """Neither line ends nor space around matter, nothing is expanded, and space alone chooses all drills."""
    where = {"GITHUB_ACTION_PATH": str(FOLDER), "GITHUB_OUTPUT": str(tmp_path / "output")}
    chosen = {
        "redis or\nrolling\n": "redis or rolling",
        "\r\n* or $(touch hacked)\n": "* or $(touch hacked)",
        " \n": "",
    }
    for given, expression in chosen.items():
        said = run(tmp_path, ("bash", "-e", "-c", step["run"]), "make", 'echo "<$DRILLS>"', **where, DRILLS=given)
        assert said == f"<{expression}>\n"
    assert not (tmp_path / "hacked").exists()


def test_make_hands_the_expression_on_as_it_is(tmp_path: Path) -> None:
    """A shell would run what stands in it otherwise."""
    made = ("make", "-s", "-C", str(ROOT), "-o", "install-dev", "-o", "artifact", "drills", "RUN=stand-in")
    *_, option, expression = run(tmp_path, made, "stand-in", 'printf "%s\\n" "$@"').splitlines()
    assert (option, expression) == ("-k", GIVEN["DRILLS"])
