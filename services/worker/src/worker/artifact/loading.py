"""Loads libraries in C++ so that a signal doesn't crash the process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino

STOPS = (signal.SIGINT, signal.SIGTERM)


def load_onnx() -> None:
    """Import it once for all; KeyboardInterrupt comes before or after.

    Raised in the midst of it, KeyboardInterrupt aborted or crashed 7 of 150 exports (onnx 1.23, Python 3.12).
    """
    with _uninterrupted():
        import onnx  # noqa: F401, PLC0415 - who serves needs none


@cache
def core() -> "openvino.Core":
    """The process's only one.

    Each Core has its own alternate signal stack (sigaltstack). When one of two ends, the other may go back to the stack
    that the first has unmapped; the next signal crashes the process (OpenVINO 2026.4).
    """
    import openvino  # noqa: PLC0415 - who serves by ONNX Runtime needs none

    return openvino.Core()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A signal takes effect after the block, as it would without. Blocked, it would come to another thread."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in STOPS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in came:
            signal.raise_signal(number)
