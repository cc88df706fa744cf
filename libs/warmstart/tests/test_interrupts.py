"""Ctrl-C where no server runs, as in a script or in pytest, is Python's own."""

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, os, signal, sys
from contextlib import asynccontextmanager
from types import SimpleNamespace
from warmstart import Lifecycle, Resource, ServiceSettings

signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may ignore it

@asynccontextmanager
async def hangs(app):
    asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
    await asyncio.sleep(3600)
    yield

async def main():
    async with Lifecycle(SimpleNamespace(state=SimpleNamespace()), [Resource("model", hangs)], ServiceSettings()):
        pass

try:
    {run}
finally:
    print("the script's own end")
"""


@pytest.mark.parametrize("run", ["asyncio.run(main())", "asyncio.new_event_loop().run_until_complete(main())"])
def test_an_interrupt_during_the_start_raises(run: str) -> None:
    """KeyboardInterrupt, as everywhere in Python; the script isn't ended with status 0 behind its back."""
    command = [sys.executable, "-c", SCRIPT.format(run=run)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in ended.stderr
    assert "the script's own end" in ended.stdout
