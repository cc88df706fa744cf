"""A worker whose embedding is slow at first: a sitecustomize for the fake engine; all else is the real service."""

from pathlib import Path

CODE = """
import time
from worker.engines.fake import FakeEngine

embed, left = FakeEngine.embed, [{first}]

def slow(self, batch):
    time.sleep(left.pop() if left else {later})
    return embed(self, batch)

FakeEngine.embed = slow
"""


def slow_at_first(folder: Path, first: float, later: float) -> dict[str, str]:
    """Settings of such a worker, whose first pass and later ones take so many seconds."""
    (folder / "sitecustomize.py").write_text(CODE.format(first=first, later=later))
    return {"ENGINE": "fake", "PYTHONPATH": str(folder)}
