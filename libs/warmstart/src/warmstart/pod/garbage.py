"""Python's cyclic garbage collector, out of the way of the start and of requests.

By default it traverses what a start makes over and over, and then all of it again under load: of the api's CPU per
cache hit a quarter went there, and a full collection stopped its event loop for 80 ms (130,000 objects, 2 cores).
The collector stays on: cycles are found, only less often.
"""

import gc

START = 250_000  # new containers before a collection; the api starts with 130,000, nearly none of them garbage
SERVE = 10_000  # by default 700


def hold() -> None:
    """For a process that starts: what it makes now is there to stay."""
    gc.set_threshold(START, 10, 10)


def settle() -> None:
    """For a process that is ready: what is there is never looked at again."""
    gc.freeze()
    gc.set_threshold(SERVE, 10, 10)
