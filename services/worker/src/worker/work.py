"""What a batcher computes: the words of its errors, and where it is counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from warmstart.errors import ServiceError


class Computer(Protocol):
    """What a batcher feeds: an engine, or an estimator. See `Engine` for what they mean."""

    lengths: Sequence[int]

    @property
    def dimensions(self) -> int: ...

    @property
    def rows(self) -> Sequence[int]: ...


@dataclass(frozen=True)
class Work:
    """One kind of work. An input is anything with a length, which is what it costs: tokens, or 1 for a row.

    `compute(computer, inputs)` gives a finite row of numbers of type `dtype` for each input, or raises, and
    `known(computer)` is what it can always compute. `failed(field, error)` is the caller's error for an input that
    fails alone; `failures` counts all inputs that fail. `account(sizes, padding, seconds)` counts one pass.
    """

    model: str
    one: str
    several: str
    inputs: str
    sizes: str
    dtype: type[np.floating[Any]]
    compute: Callable[[Any, Sequence[Any]], NDArray[Any]]
    known: Callable[[Any], Sequence[Any]]
    failed: Callable[[str, Exception], ServiceError]
    failures: Counter
    account: Callable[[Sequence[int], int, float], None]
