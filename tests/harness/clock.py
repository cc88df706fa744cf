"""The clock of an event loop, put forward: a time limit ends without a wait, and not before its test is ready."""

import asyncio

import pytest


def put_forward(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have so many seconds pass at once in the running loop."""
    loop = asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + seconds)
