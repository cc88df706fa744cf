"""`make licenses`: what serves is under licences that pyproject.toml allows."""

import subprocess
from pathlib import Path

from tests.delivery.workflows import ROOT

COMMAND = ("make", "-s", "-C", str(ROOT), "-o", "install-dev", "licenses")


def test_what_serves_is_under_licences_that_are_allowed() -> None:
    """No package of requirements/run.lock is under the GPL or anything else that pyproject.toml doesn't list."""
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    listed = (ROOT / "reports" / "licenses.md").read_text()
    assert "| fastapi " in listed
    assert "GPL" not in listed


def test_another_licence_fails(tmp_path: Path) -> None:
    """A package that isn't under an allowed licence is named, with its licence."""
    text = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace("MPL-2.0 AND MIT;", ""))
    python = ROOT / ".venv" / "bin" / "python"
    argv = (python, "-m", "piplicenses", "--python", python, "--packages", "tqdm", "fastapi")
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "license MPL-2.0 AND MIT not in allow-only licenses was found for package tqdm" in done.stderr
