"""An artifact is replaced whole, or stays as it was; nothing is left beside it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.worker.tests.stand_ins import LIMIT
from stack import until
from worker.artifact.placing import placed


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folder of an artifact."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "file").write_text("old")
    return tmp_path / "made"


def names(target: Path) -> list[str]:
    """What is in the folder of artifacts."""
    return sorted(file.name for file in target.parent.iterdir())


def test_the_new_folder_replaces_the_old_one(target: Path) -> None:
    """With all its files, and nothing else is there."""
    with placed(target) as folder:
        folder.mkdir()
        (folder / "other").write_text("new")
        assert (target / "file").read_text() == "old"
    assert [file.name for file in target.iterdir()] == ["other"]
    assert names(target) == ["made"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_export_that_fails_leaves_the_old_folder(target: Path, error: type[BaseException]) -> None:
    """And takes away what it had made so far."""

    def export() -> None:
        with placed(target) as folder:
            folder.mkdir()
            raise error

    with pytest.raises(error):
        export()
    assert (target / "file").read_text() == "old"
    assert names(target) == ["made"]


def test_a_folder_that_can_not_be_moved_leaves_the_old_one(target: Path) -> None:
    """The old one had made room already; it comes back."""
    with pytest.raises(FileNotFoundError), placed(target):
        pass  # nothing was made
    assert (target / "file").read_text() == "old"
    assert names(target) == ["made"]


def test_an_interrupt_between_the_renames_leaves_the_old_one(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python raises it when the first rename returns."""
    rename = Path.rename

    def interrupted(self: Path, to: Path) -> Path:
        moved = rename(self, to)
        if self == target:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), placed(target) as folder:
        folder.mkdir()
    assert (target / "file").read_text() == "old"
    assert names(target) == ["made"]


def test_what_a_killed_export_left_is_swept(target: Path) -> None:
    """After a day; what is newer may be of an export that runs."""
    for name, age in ((".made-killed", 2 * 86_400), (".made-running", 60), (".another-killed", 2 * 86_400)):
        (target.parent / name).mkdir()
        os.utime(target.parent / name, (time.time() - age,) * 2)
    with placed(target) as folder:
        folder.mkdir()
    assert names(target) == [".another-killed", ".made-running", "made"]


def test_an_export_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM is its end as Ctrl-C is: one line, status 130."""
    command = [sys.executable, "-m", "worker.export", "--engines", "onnx"]
    environment = {**os.environ, "ARTIFACTS": str(tmp_path), "EMBEDDING_MODEL": "all-MiniLM-L6-v2"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as export:
        until(lambda: any(tmp_path.iterdir()), 60, "it has begun to write")
        export.send_signal(signal.SIGTERM)
        _, errors = export.communicate(timeout=LIMIT)
    assert export.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"
    assert list(tmp_path.iterdir()) == []
