"""For tests that need a Docker engine: run, or one line in the summary that says why not."""

import os
from functools import cache

import pytest

from stack.docker import silence

_silence = cache(silence)


def require_engine() -> None:
    """Skip, always from the same line, which pytest then reports once; with REQUIRE_ENGINE in the environment, fail."""
    reason = _silence()
    if reason and os.environ.get("REQUIRE_ENGINE"):
        pytest.fail(f"container tests must run (REQUIRE_ENGINE), but: {reason}")
    if reason:
        pytest.skip(f"container tests did not run: {reason}")
