"""Says what a step waits for, at first and every two seconds."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeAlias

EVERY = 2.0  # seconds

Say: TypeAlias = Callable[[str], None]


class Step:
    """One step under way; `note` says how far it is."""

    def __init__(self) -> None:
        self.note = ""


@contextmanager
def step(say: Say, what: str) -> Iterator[Step]:
    """Say `what` is done inside, and while it takes long, again with the seconds and the step's own note.

    From a thread of its own: a step may be one call of a library.
    """
    under_way, over, began = Step(), threading.Event(), perf_counter()
    say(what)

    def tell() -> None:
        while not over.wait(EVERY):
            say(f"  {perf_counter() - began:.0f} s {under_way.note}".rstrip())

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield under_way
    finally:
        over.set()
        teller.join()
