"""A command that a person watches: it has this process's terminal, and ends with it."""

import subprocess
from collections.abc import Mapping, Sequence

from stack.site import REPOSITORY

END_SECONDS = 15.0  # from SIGTERM to SIGKILL


def foreground(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run a command until it ends, whatever that takes.

    An interrupt from the terminal reaches the command by itself; any other end of this process ends it, too.

    Returns:
        Its exit code; 128 + N if signal N ended it.
    """
    with subprocess.Popen(command, env=environment, cwd=REPOSITORY) as process:
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    return 128 - code if code < 0 else code
