"""Puts an artifact's folder in its place: whole, or not at all."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LEFT = 86_400  # seconds after which a scratch folder is of an export that was killed; the longest takes minutes


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """Where to make the folder that replaces `target` when the block ends without an error. Raises OSError.

    Else the old folder stays, whatever happens. Another user's files may stop that, but are never deleted in part.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    scratch = tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-", ignore_cleanup_errors=True)
    with scratch as path:
        folder = Path(path, "artifact")
        yield folder
        _replace(target, folder, Path(path, "old"))


def _replace(target: Path, folder: Path, old: Path) -> None:
    """Two renames: an error or an interrupt, also between them, is undone."""
    try:
        with suppress(FileNotFoundError):
            target.rename(old)
        folder.rename(target)
    except BaseException:
        with suppress(OSError):
            old.rename(target)
        raise


def _sweep(target: Path) -> None:
    for each in target.parent.iterdir():
        with suppress(FileNotFoundError):  # another export has just ended
            if each.name.startswith(f".{target.name}-") and each.stat().st_mtime < time.time() - LEFT:
                shutil.rmtree(each, ignore_errors=True)
