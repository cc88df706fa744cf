"""A small disk, and how to fill it."""

import errno
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from drills.interrupts import INTERRUPTS

BALLAST = "ballast"  # the file that takes the room
BLOCK = bytes(2**16)


def no_small_disk() -> str | None:
    """Why `small_disk` can't work here."""
    try:
        with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder), 1):
            return None
    except (OSError, subprocess.CalledProcessError):
        return "a small disk takes root, and the right to mount one"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount an empty file system of that size there."""
    options = f"size={megabytes}m,mode=1777"
    with ExitStack() as undoing:
        with INTERRUPTS.shielded():
            _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
            undoing.callback(_unmount, folder)
        yield


def _unmount(folder: Path) -> None:
    with INTERRUPTS.shielded():
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Take all the room that a file system has left."""
    ballast = folder / BALLAST
    try:
        fill(ballast)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def fill(ballast: Path) -> None:
    """Write until nothing can be written; what others have given back meanwhile too."""
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(BLOCK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
