"""Replicas of the embedded stack."""

from pathlib import Path
from signal import SIGKILL

from stack import EmbeddedStack, free_ports, until
from stack.http import ask


def test_a_replica_that_has_ended_is_replaced(tmp_path: Path) -> None:
    """`scale` to the same number starts another one in its place."""
    stack = EmbeddedStack(tmp_path, free_ports(), ["worker"], {"ENGINE": "fake", "DRAIN_SECONDS": "0"})
    with stack:
        first, second, third = stack.scale("worker", 3)
        [ended, _] = stack._replicas("worker")
        ended.signal("worker", SIGKILL)
        until(lambda: not ended.pids("worker"), 10, "the end of a replica")
        now = stack.scale("worker", 3)
        assert {first, third} < set(now)
        assert len(set(now)) == 3
        assert second not in now
        assert [ask(f"{url}/readyz").status for url in now] == [200] * 3
