"""`.ci/run`, what the project runs of itself from a bare clone."""

import re
import subprocess
from itertools import permutations
from pathlib import Path

import pytest

from tests.delivery.workflows import ROOT

RUN = ROOT / ".ci" / "run"
PARTS = "well() { echo it works; }; also() { echo so does this; }; fails() { echo it begins; false; echo it ends; }"


def bash(folder: Path, then: str) -> subprocess.CompletedProcess[str]:
    """Define the functions of `.ci/run`, in a folder of their own, and run `then`."""
    functions, *_ = RUN.read_text().partition("\nbeside ")
    script = folder / "ci" / "run"
    script.parent.mkdir()
    script.write_text(f"{functions}\n{then}\n")
    return subprocess.run(["bash", script], capture_output=True, text=True, timeout=60, check=False)


def test_every_test_is_in_one_part(tmp_path: Path) -> None:
    """What the last part leaves out is in one of the two before it, and is a folder or file of ours."""
    done = bash(tmp_path, 'tests() { echo "$@"; }; first; second; others')
    assert done.returncode == 0, done.stderr
    first, second, others = (line.split() for line in done.stdout.splitlines())
    assert [f"--deselect={path}" for path in first + second] == others
    assert [path for path in first + second if not (ROOT / path).exists()] == []
    assert [pair for pair in permutations(first + second, 2) if Path(pair[0]).is_relative_to(pair[1])] == []


@pytest.mark.parametrize(
    ("parts", "code", "said"),
    [
        ("well also", 0, {"it works", "so does this"}),
        ("fails well", 1, {"it begins", "it works"}),
        ("well fails", 1, {"it works", "it begins"}),
    ],
)
def test_a_part_that_fails_is_heard_of(tmp_path: Path, parts: str, code: int, said: set[str]) -> None:
    """Whichever it is; it ends there, the other one ends as well, and each shows what it said."""
    done = bash(tmp_path, f"{PARTS}; beside {parts}")
    assert done.returncode == code
    assert {line for line in done.stdout.splitlines() if line.startswith(("it", "so"))} == said


def test_other_pythons_have_tests_of_every_folder(tmp_path: Path) -> None:
    """pytest looks for the words of TESTS in the names of folders, too: `start` left out all of libs/warmstart."""
    done = bash(tmp_path, "make() { echo ${@: -1}; }; other_pythons")
    words = set(re.findall(r"\w+", done.stdout.removeprefix("TESTS=not"))) - {"or"}
    assert {"recycling", "health"} < words
    folders = [each.parent.relative_to(ROOT) for part in ("libs", "services") for each in ROOT.glob(f"{part}/*/tests/")]
    assert [(word, str(folder)) for word in words for folder in folders if word in f"{folder}/tests"] == []
