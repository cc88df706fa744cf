"""Runs PostgreSQL as another user: it refuses to run as root, which is often the only user in a container."""

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.errors import StackError

DAC_READ_SEARCH = 1 << 2
READS_ALL = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--securebits=+no_setuid_fixup")
WAYS_OUT = (
    "start the container with --cap-add=DAC_READ_SEARCH, put the clone elsewhere, or use another account than root"
)


def unprivileged(*argv: str) -> tuple[str, ...]:
    """The same command for anyone but root; for root, the command as user `nobody`.

    The command keeps one capability, to read what root may read, since a clone often lies under /root; it can write
    only to its own files. access(2) looks at the real user: it honours the capability only with no_setuid_fixup.
    Root of a container mostly lacks the capability: then `nobody` must be able to enter each folder by itself.

    Raises:
        StackError: setpriv (of util-linux) is missing, or `nobody` can't reach the program.
    """
    if os.geteuid() != 0:
        return argv
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError("PostgreSQL doesn't run as root: install setpriv (util-linux), or use another account")
    _let_all_run(Path(argv[0]))
    if not (capable := may_read_all()):
        _require_way(Path(argv[0]))
    user = pwd.getpwnam("nobody")
    return (
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        *(READS_ALL if capable else ()),
        "--no-new-privs",
        "--",
        *argv,
    )


def may_read_all() -> bool:
    """Whether a process of ours can have the capability: Docker and others take it from a container by default."""
    lines = Path("/proc/self/status").read_text().splitlines()
    bounds = next(line.split()[1] for line in lines if line.startswith("CapBnd:"))
    return bool(int(bounds, 16) & DAC_READ_SEARCH)


def give(folder: Path, ours: Path) -> None:
    """Let the user that `unprivileged` switches to own a folder and what is in it, and reach it.

    Args:
        folder: below `ours`.
        ours: where it lacks the capability, it may pass through the folders from here on, but list none.

    Raises:
        StackError: it can't pass through a folder above.
    """
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam("nobody")
    if folder.stat().st_uid != user.pw_uid:
        for each in (folder, *folder.rglob("*")):
            os.chown(each, user.pw_uid, user.pw_gid, follow_symlinks=False)
    if not may_read_all():
        for each in folder.parents:
            if each.is_relative_to(ours):
                each.chmod(each.stat().st_mode | 0o011)
        _require_way(folder)


@contextmanager
def readable(text: str) -> Iterator[int]:
    """A descriptor to read a short text from, for a command of `unprivileged` that opens /dev/stdin anew."""
    reading, writing = os.pipe()
    try:
        if os.geteuid() == 0:
            os.fchown(reading, pwd.getpwnam("nobody").pw_uid, -1)
        os.write(writing, text.encode())  # a pipe holds 64 KiB
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _require_way(file: Path) -> None:
    """Raise StackError unless every user can pass through the folders that lead to a file."""
    for each in reversed(file.resolve().parents):
        if not each.stat().st_mode & 0o001:
            raise StackError(f"PostgreSQL doesn't run as root, and user nobody can't enter {each}: {WAYS_OUT}")


def _let_all_run(program: Path) -> None:
    """Make a program executable for all: with a umask of 077 only root could run it."""
    for each in program.parent.iterdir() if program.is_file() else ():
        mode = each.stat().st_mode
        if mode & 0o100 and not mode & 0o001:
            each.chmod(mode | 0o555)
