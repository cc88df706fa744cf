"""What `make reindex` runs, by what its command line says."""

import os
import subprocess

import pytest

from stack.site import REPOSITORY

HINT = "make reindex MODEL=…, or STEP="


def make(*arguments: str, dry: bool = True) -> subprocess.CompletedProcess[str]:
    """The last line that it would run; nothing is made first."""
    options = ("--dry-run",) if dry else ()
    old = ("--old-file=install", "--old-file=install-dev")
    inherited = {name: value for name, value in os.environ.items() if "MAKE" not in name}  # `make test` runs this, too
    environment = {**inherited, "MODEL": "of-the-environment", "STEP": "finish", "YES": "1"}
    argv = ("make", *options, *old, "reindex", *arguments)
    return subprocess.run(argv, cwd=REPOSITORY, env=environment, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["STEP=roll-back"], '"roll-back"'),
        (["MODEL=a/b"], '--model "a/b"'),
        (["MODEL=a/b", "YES=0"], '--model "a/b"'),
        (["MODEL=a/b", "YES=1"], '--model "a/b" --yes'),
    ],
)
def test_the_command_line_says_what_is_done(arguments: list[str], runs: str) -> None:
    """A step is never taken for a model, and only YES=1 is an answer; the environment says nothing."""
    assert make(*arguments).stdout.splitlines()[-1].partition("stack reindex ")[2].strip() == runs


@pytest.mark.parametrize("arguments", [[], ["MODEL=a/b", "STEP=finish"]])
def test_neither_or_both_do_nothing(arguments: list[str]) -> None:
    """One of them would be ignored without a word."""
    done = make(*arguments, dry=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(HINT)
