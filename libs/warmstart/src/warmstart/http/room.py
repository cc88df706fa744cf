"""Room for the bodies of all requests of a process together."""

from warmstart.errors import Overloaded

SMALL = 64 * 2**10  # bytes


class Room:
    """`size` bytes. A quarter is for bodies of up to 64 KiB: those pass while a few large ones come in slowly."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0

    def take(self, size: int, total: int) -> None:
        """Room for `size` bytes more, of a body of `total` so far. Raises Overloaded when there is none."""
        limit = self._size if total <= SMALL else self._size * 3 // 4
        if self._used + size > limit:
            message = f"the bodies of all requests under way would exceed {self._size} bytes"
            raise Overloaded(message, retry_after=1)
        self._used += size

    def give(self, size: int) -> None:
        """It is free again."""
        self._used -= size
