"""Limits the total size of the bodies of all requests of a process."""

from warmstart.errors import Overloaded

SMALL = 64 * 2**10  # bytes


class Room:
    """`size` bytes. A quarter is reserved for bodies of up to 64 KiB, so that a few large ones don't block them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0

    def take(self, size: int, total: int) -> None:
        """Reserve `size` bytes more for a body of `total` so far. Raises Overloaded when there is no room."""
        limit = self._size if total <= SMALL else self._size * 3 // 4
        if self._used + size > limit:
            message = f"the bodies of all requests under way would exceed {self._size} bytes"
            raise Overloaded(message, retry_after=1)
        self._used += size

    def give(self, size: int) -> None:
        """Free `size` bytes."""
        self._used -= size
