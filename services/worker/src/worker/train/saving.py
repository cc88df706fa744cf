"""Writes a head and its card: beside their place, proven as a start proves them, and only then moved there."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from warmstart import Fatal
from worker.engines.base import Vectors
from worker.model_files import sha256
from worker.predictor.card import card_file
from worker.predictor.loading import load
from worker.settings import WorkerSettings
from worker.train.card import HeadCard

PROVEN = 256  # rows whose predictions must be the same


def require_free(target: Path, *, replace: bool) -> None:
    """Raise Fatal where a head can't be written, or may not be: a worker may be serving what is there.

    It tries with a folder that it removes at once, where the head's folder is or would be made: what says who may write
    where is not the permissions alone.
    """
    try:
        for each in (target, card_file(target)):
            if each.is_dir():
                raise Fatal(f"{each} is a folder: name a file with --output")
            if each.exists() and not replace:
                raise Fatal(f"{each} is there: name another one with --output, or say --replace")
        there = next(each for each in target.absolute().parents if each.exists())
        tempfile.TemporaryDirectory(dir=there, prefix=f".{target.name}-").cleanup()
    except OSError as error:
        raise _unwritten(target, error) from error


def save(
    head: Any, rows: Vectors, card: Callable[[str], HeadCard], target: Path, settings: WorkerSettings, *, replace: bool
) -> HeadCard:
    """Write `head`, which must predict for `rows` what it predicts now; returns the `card` of its file's sha256.

    Raises Fatal when a start would refuse it, or it can't be written. Whatever happens, there is the old head or the
    new one, and nothing else but its card. To replace both takes two steps: a worker that starts between them finds the
    card of another file, and doesn't start.
    """
    import skops.io  # noqa: PLC0415 - only who trains has it

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
            file = Path(scratch, target.name)
            skops.io.dump(head, file)
            made = card(sha256(file))
            card_file(file).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
            _prove(head, rows, file, settings)
            _move(file, target, replace=replace)
    except OSError as error:
        raise _unwritten(target, error) from error
    return made


def _unwritten(target: Path, error: OSError) -> Fatal:
    return Fatal(f"{target} can't be written: {error.strerror or error}")


def _prove(head: Any, rows: Vectors, file: Path, settings: WorkerSettings) -> None:
    """Raise Fatal when a start would refuse the file, or serve other predictions. PREDICTOR_SHA256 is another one's."""
    loaded = load(file, settings.model_copy(update={"predictor_sha256": None}))
    some = rows[:PROVEN].astype(np.float64)
    found = loaded.estimator.predict([row[np.newaxis] for row in some])
    classes = loaded.info.classes or ()
    if [classes[int(number)] for number in found[:, 0]] != head.predict(some).tolist():
        raise Fatal(f"{file.name} predicts something else once it is loaded")


def _move(file: Path, target: Path, *, replace: bool) -> None:
    for each in (card_file(file), file):
        with each.open("rb") as content:
            os.fsync(content.fileno())
    with _undisturbed():  # the card first: a head without one would be of no space
        if replace:
            card_file(file).replace(card_file(target))
            file.replace(target)
            return
        _place(card_file(file), card_file(target))
        try:
            _place(file, target)
        except OSError:
            card_file(target).unlink()
            raise


def _place(file: Path, target: Path) -> None:
    """Move a file to where none is. Raises FileExistsError if somebody has just written one."""
    try:
        target.hardlink_to(file)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise
    except OSError:  # not every file system has hard links: FAT hasn't, nor have some of those in a network
        target.touch(exist_ok=False)
        file.replace(target)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal comes between the two files: one that comes is too late, both are there in a moment.

    To block signals would not do: that of the process goes to another thread then, and Python still runs its handler
    here (https://docs.python.org/3/library/signal.html#signals-and-threads).
    """
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
