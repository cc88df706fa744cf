"""Numbers that come as variables of the environment."""

import os
import subprocess
import sys

import pytest

from loadtest.variables import positive, positives
from stack.site import REPOSITORY

DRILLS = ("pytest", "drills/scenarios", "--collect-only", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("REQUESTS", DRILLS),
        ("ROUNDS", ("loadtest.bench",)),
        ("SECONDS", ("loadtest.bench.flood",)),
        ("ROUNDS", ("loadtest.bench.overhead",)),
        ("SECONDS", ("loadtest.bench.overload",)),
        ("SECONDS", ("loadtest.bench.soak",)),
        ("SIZES", ("loadtest.scale",)),
        ("SECONDS", ("loadtest.scale",)),
        ("CPUS", ("loadtest.startup_matrix",)),
        ("STARTS", ("loadtest.startup_profile",)),
    ],
    ids=lambda each: each if isinstance(each, str) else each[-1] if each != DRILLS else "drills",
)
def test_a_variable_that_is_no_number_is_named(name: str, module: tuple[str, ...]) -> None:
    """Drills and load tests end with status 2, and one line says which variable is meant."""
    command, environment = (sys.executable, "-m", *module), {**os.environ, name: "abc"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{name}=abc: ")


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "3 4", "1e3"])
def test_a_whole_number_above_0_is_taken_only(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else ends the process, and the line says what would be taken."""
    with pytest.raises(SystemExit, match=r"^2$"):
        positive("RUNS", 1, {"RUNS": text})
    assert capsys.readouterr().err == f"RUNS={text}: a whole number above 0 is meant\n"


@pytest.mark.parametrize("text", ["0", "-0.5", "nan", "inf"])
def test_seconds_are_above_0_and_end(text: str) -> None:
    """With no number, or without an end, a load would be of no use."""
    with pytest.raises(SystemExit):
        positive("SECONDS", 2.0, {"SECONDS": text})


def test_empty_variables_are_unset() -> None:
    """As make hands them on."""
    assert positive("RUNS", 3, {"RUNS": ""}) == 3
    assert positive("SECONDS", 2.0, {"SECONDS": " 0.5\n"}) == 0.5
    assert positives("SIZES", int, {"SIZES": ""}) == []
    assert positives("CPUS", float, {"CPUS": "0.5, 1 2"}) == [0.5, 1.0, 2.0]
