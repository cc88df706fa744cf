"""PostgreSQL refuses to run as root. In a container, root is often all there is."""

import os
import pwd
import shutil
from pathlib import Path

from stack.errors import StackError


def unprivileged(*argv: str) -> tuple[str, ...]:
    """The same command for anyone but root; for root, the command as user `nobody`.

    It keeps the one capability of reading what root may read, since a clone often lies under /root.
    For access(2), which looks at the real user, to honour it, no_setuid_fixup is needed too.

    Raises:
        StackError: setpriv (of util-linux) is missing.
    """
    if os.geteuid() != 0:
        return argv
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError("PostgreSQL doesn't run as root: install setpriv (util-linux), or use another account")
    user = pwd.getpwnam("nobody")
    return (
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--securebits=+no_setuid_fixup",
        "--",
        *argv,
    )


def give(folder: Path) -> None:
    """Let the user that `unprivileged` switches to own a folder."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
