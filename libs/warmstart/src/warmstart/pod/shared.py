"""Secrets that one process of the pod has fetched, for its siblings and for who replaces it.

So a vault that is away keeps no process from being replaced. They are in memory that only forks of this master reach,
in no file and in no environment.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from warmstart.lifecycle.place import Kept


class Shared(Kept):
    """An anonymous file in memory, made before the fork. The kernel unlocks it when the process that holds it dies."""

    def __init__(self) -> None:
        # The file object closes the descriptor when the last process that was forked with it is forgotten.
        self._file = os.fdopen(os.memfd_create("secrets"), "r+b", buffering=0)

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Whether this process has it alone now. A lock of the process (POSIX), not of the file that all have."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process has it
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def read(self) -> bytes:
        """What was written last; nothing at first. Only while it is held."""
        return os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size, 0)

    def write(self, content: bytes) -> None:
        """Keep it, in the place of what was written before. Only while it is held."""
        os.ftruncate(self._file.fileno(), 0)  # a process that dies here leaves nothing, and not a mixture
        os.pwrite(self._file.fileno(), content, 0)
