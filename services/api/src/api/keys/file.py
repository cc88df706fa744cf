"""Changes the file of keys: one change at a time, and no reader ever sees half of one."""

import fcntl
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from api.keys.entries import Entry, is_comment, parse, parse_line

HEADER = "# NAME sha256:HASH [QUOTA], by python -m api.keys: the keys themselves stand nowhere\n"


class Mistake(Exception):
    """The command can't be done; the message says why, and quotes no key."""


def read(path: Path) -> list[Entry]:
    """The entries of a file, none of one that isn't there yet. Raises OSError, or Mistake for another kind of file."""
    return [parse_line(line) for line in _lines(path.read_text("utf-8-sig") if path.exists() else "", path)]


def add(path: Path, entry: Entry) -> None:
    """Append an entry. Raises OSError, or Mistake when it can't stand there."""

    def change(text: str) -> str:
        if any(entry.name == parse_line(line).name for line in _lines(text, path)):
            raise Mistake(f"{path} has the name {entry.name} already: rotate it, or revoke it")
        return f"{text or HEADER}{entry.line()}\n"

    _change(path, change)


def replace(path: Path, name: str, new: Callable[[Entry], Entry | None]) -> None:
    """Put another entry in the place of one, or none. Raises OSError, or Mistake when there is none of that name."""

    def change(text: str) -> str:
        entries = {line: parse_line(line) for line in _lines(text, path)}
        if name not in {entry.name for entry in entries.values()}:
            raise Mistake(f"{path} has no key of the name {name}")
        kept = []
        for line in text.splitlines():
            entry = entries.get(line.strip())
            if entry and entry.name == name:
                entry = new(entry)
                kept += [entry.line()] if entry else []
            else:
                kept.append(line)
        return "".join(f"{line}\n" for line in kept or [HEADER.strip()])

    _change(path, change)


def _lines(text: str, path: Path) -> list[str]:
    """The lines with entries. Raises Mistake for a file that the api couldn't read, or that has keys themselves."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not is_comment(line)]
    try:
        parse(text)
        for line in lines:
            parse_line(line)
    except ValueError as error:
        raise Mistake(f"{path}: {error}") from None
    return lines


def _change(path: Path, change: Callable[[str], str]) -> None:
    path = path.resolve()  # the file itself, not a link to it
    with _alone(path):
        text = path.read_text("utf-8-sig") if path.exists() else ""
        if text and not text.endswith("\n"):
            text += "\n"
        _put(path, change(text))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The folder is locked, not the file: that is another one after each change."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _put(path: Path, text: str) -> None:
    """Replace the file by one that the same users can read; a new one is its owner's alone.

    Raises Mistake, and leaves the file as it is, where an api that reads it now couldn't read the next one: it would
    keep what it has read before, revoked keys too.
    """
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            if path.exists():
                shutil.copystat(path, made)  # its mode, and its access control list
                _give(file.fileno(), path)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise


def _give(made: int, path: Path) -> None:
    known = path.stat()
    with suppress(PermissionError):  # who is in the group may, but not together with the owner
        os.fchown(made, -1, known.st_gid)
    with suppress(PermissionError):  # only root may give files away
        os.fchown(made, known.st_uid, -1)
    if not _as_readable(os.fstat(made), known):
        raise Mistake(f"who reads {path} couldn't read it any more: do this as root, or as its owner and in its group")


def _as_readable(new: os.stat_result, known: os.stat_result) -> bool:
    """Whether the owner and the group of a file can read the one in its place."""
    by_all, by_group = known.st_mode & 0o004, known.st_mode & 0o040
    if by_all or (new.st_uid, new.st_gid) == (known.st_uid, known.st_gid):
        return True
    if by_group and new.st_gid != known.st_gid:
        return False
    if known.st_uid in (0, new.st_uid):  # root reads everything
        return True
    return bool(by_group) and known.st_gid in _groups(known.st_uid)


def _groups(user: int) -> list[int]:
    """The groups of a user; none of one that this machine doesn't know."""
    try:
        known = pwd.getpwuid(user)
    except KeyError:
        return []
    return os.getgrouplist(known.pw_name, known.pw_gid)
