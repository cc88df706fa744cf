"""What has become of the calls: how a drill sees that those of clients that have left were cancelled."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Cut(Exception):
    """The connection of this call is to be cut."""


@dataclass
class Counts:
    """Calls since the start: those that are open, and by their end all others.

    `cancelled` calls are those whose client has left; `refused` and `cut` ones ended as a switch says.
    """

    open: int = 0
    finished: int = 0
    cancelled: int = 0
    refused: int = 0
    cut: int = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call that is answered inside the block."""
        self.open += 1
        try:
            yield
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise
        except Cut:
            self.cut += 1
            raise
        else:
            self.finished += 1
        finally:
            self.open -= 1
