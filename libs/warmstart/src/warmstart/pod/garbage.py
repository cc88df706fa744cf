"""Keeps Python's cyclic garbage collector from slowing down the start and the requests.

By default the collector traverses the objects of a start again and again, and all of them once more under load: it took
a quarter of the api's CPU for a cache hit, and a full collection stopped its event loop for 80 ms (130,000 objects, 2
cores). The collector stays on, and still finds cycles, only less often.
"""

import gc

START = 250_000  # new objects before a collection; the api's start makes 130,000, nearly none of them garbage
SERVE = 10_000  # by default 700


def hold() -> None:
    """Call it in a process that starts: collections are rare, since what a start makes stays."""
    gc.set_threshold(START, 10, 10)


def settle() -> None:
    """Call it in a process that is ready: the collector ignores all objects that exist now."""
    gc.freeze()
    gc.set_threshold(SERVE, 10, 10)
