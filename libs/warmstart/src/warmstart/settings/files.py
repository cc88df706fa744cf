"""Reads a small file whole, whatever its path leads to."""

import os
import stat


def content(variable: str, path: str, largest: int) -> bytes:
    """What is in the file that a variable names.

    Raises ValueError, which names the variable, when it can't be read, or has more than `largest` bytes.
    """
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"{variable}: not a regular file: {path}")
            found = file.read(largest + 1)
    except OSError as error:
        raise ValueError(f"{variable}: {error.strerror}: {path}") from error
    if len(found) > largest:
        raise ValueError(f"{variable}: more than {largest} bytes: {path}")
    return found


def _at_once(path: str, flags: int) -> int:
    """A named pipe would wait for a writer. Windows has no such pipes, and no such flag."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
