"""Runs PostgreSQL as another user: it refuses to run as root, which is often the only user in a container."""

import os
import pwd
import shutil
from pathlib import Path

from stack.errors import StackError


def unprivileged(*argv: str) -> tuple[str, ...]:
    """The same command for anyone but root; for root, the command as user `nobody`.

    The command keeps one capability, to read what root may read, since a clone often lies under /root; it can write
    only to its own files. access(2) looks at the real user: it honours the capability only with no_setuid_fixup.

    Raises:
        StackError: setpriv (of util-linux) is missing.
    """
    if os.geteuid() != 0:
        return argv
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError("PostgreSQL doesn't run as root: install setpriv (util-linux), or use another account")
    _let_all_run(Path(argv[0]))
    user = pwd.getpwnam("nobody")
    return (
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
        "--securebits=+no_setuid_fixup",
        "--no-new-privs",
        "--",
        *argv,
    )


def give(folder: Path) -> None:
    """Let the user that `unprivileged` switches to own a folder and what is in it."""
    if os.geteuid() != 0:
        return
    user = pwd.getpwnam("nobody")
    if folder.stat().st_uid != user.pw_uid:
        for each in (folder, *folder.rglob("*")):
            os.chown(each, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _let_all_run(program: Path) -> None:
    """Make a program executable for all: with a umask of 077 only root could run it."""
    for each in program.parent.iterdir() if program.is_file() else ():
        mode = each.stat().st_mode
        if mode & 0o100 and not mode & 0o001:
            each.chmod(mode | 0o555)
