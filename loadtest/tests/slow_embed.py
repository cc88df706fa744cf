"""A worker whose embedding is slow at first: a sitecustomize for the fake engine; all else is the real service."""

from pathlib import Path

FIRST_SECONDS = 3.0
SECONDS = 0.1  # of each later pass, so that what is measured is not the noise of a millisecond

CODE = f"""
import time
from worker.engines.fake import FakeEngine

embed, left = FakeEngine.embed, [{FIRST_SECONDS}]

def slow(self, batch):
    time.sleep(left.pop() if left else {SECONDS})
    return embed(self, batch)

FakeEngine.embed = slow
"""


def slow_at_first(folder: Path) -> dict[str, str]:
    """Settings of such a worker."""
    (folder / "sitecustomize.py").write_text(CODE)
    return {"ENGINE": "fake", "PYTHONPATH": str(folder)}
