"""A drill can kill the job, and knows whether it did."""

import sys
from typing import cast

from drills.reindexing import KILLED, MODULE, Job
from stack import Stack, until
from stack.foreground import foreground


class StandIn:
    """A stack whose job sleeps for so many seconds."""

    def run_reindex(self, *arguments: str) -> int:
        """See `Stack.run_reindex`."""
        return foreground((sys.executable, "-c", f"import time; time.sleep({arguments[0]})", "-m", MODULE))


STACK = cast("Stack", StandIn())


def test_a_job_is_killed_even_before_there_is_a_process() -> None:
    """It waits for the process, and the exit code says what ended it."""
    job = Job(STACK, "60")
    assert job.kill()
    assert (job.runs, job.code) == (False, KILLED)


def test_a_job_that_has_ended_was_not_killed() -> None:
    """The drill doesn't count it."""
    job = Job(STACK, "0")
    until(lambda: not job.runs, 20, "its end")
    assert not job.kill()
    assert job.code == 0
