"""Kinds of keys to try, and the time of each try: in this process, or over a connection."""

import gc
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPConnection, HTTPSConnection

import numpy as np
from numpy.typing import NDArray

from loadtest.openloop.client import understood
from warmstart.http.bearer import Bearers, digest_of

Make = Callable[[random.Random], bytes]
Times = Mapping[str, NDArray[np.int64]]
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
WARM = 500  # tries before those that count


def a_key() -> bytes:
    """As `python -m api.keys` makes them."""
    return b"wsk_" + secrets.token_urlsafe(32).encode()


def wrong(rng: random.Random) -> bytes:
    """A key that nobody has: nothing of it is right but its form."""
    return b"wsk_" + bytes(rng.choices(ALPHABET, k=43))


def nearly(right: bytes) -> Make:
    """Keys with a wrong end: all but the last three characters are right."""
    return lambda rng: right[:-3] + bytes(rng.choices(ALPHABET, k=3))


def one_of(right: Sequence[bytes]) -> Make:
    """Right ones."""
    return lambda rng: rng.choice(right)


def timed(makers: Mapping[str, Make], ask: Callable[[bytes], object], tries: int, seed: int) -> Times:
    """Nanoseconds of `tries` tries of each kind, in an order drawn at random.

    All keys are made before, and copied before they are tried: what the processor did for one key, and where it keeps
    it, must be the same for each kind.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret comes of it
    plan = [(kind, make(rng)) for kind, make in makers.items() for _ in range(tries)]
    rng.shuffle(plan)
    found: dict[str, list[int]] = {kind: [] for kind in makers}
    clock = time.perf_counter_ns
    gc.disable()
    try:
        for _, key in plan[:WARM]:
            ask(key)
        for kind, key in plan:
            copy = bytes(bytearray(key))
            began = clock()
            ask(copy)
            took = clock() - began
            found[kind].append(took)
    finally:
        gc.enable()
    return {kind: np.array(times, dtype=np.int64) for kind, times in found.items()}


def in_process(right: Sequence[bytes]) -> Callable[[bytes], object]:
    """The check itself, with these keys known."""
    return Bearers((digest_of(key.decode()), True) for key in right).find


def over_http(url: str) -> Callable[[bytes], int]:
    """The status of a call with a key, on one connection, which is opened again when it is closed."""
    parts, host, port = understood(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection, path = kind(host, port, timeout=10), f"{parts.path.rstrip('/')}/v1/models"

    def ask(key: bytes) -> int:
        connection.request("GET", path, headers={"Authorization": b"Bearer " + key})
        with connection.getresponse() as answer:
            answer.read()
            return answer.status

    return ask
