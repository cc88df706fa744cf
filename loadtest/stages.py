"""Stages of a load test: `locust -f loadtest/locustfile.py,loadtest/stages.py`.

This is a file of its own, since locust uses a shape whenever it finds one, and in the web UI the user chooses the load
by hand.
"""

import math
import sys
from typing import Any, ClassVar

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser


def add_options(parser: LocustArgumentParser) -> None:
    """The stages themselves."""
    parser.add_argument(
        "--stages",
        type=checked,
        default="10:2,30:6,10:2",
        env_var="STAGES",
        help="seconds:users of each stage, separated by commas",
    )


def checked(text: str) -> str:
    """The same text. Leaves the program when it isn't understood: argparse's own exit code, 2, means something else."""
    try:
        stages(text)
    except ValueError:
        sys.exit(f"loadtest: STAGES={text} is no list of seconds:users, as in 10:2,30:6")
    return text


events.init_command_line_parser.add_listener(add_options)


class Stages(LoadTestShape):
    """So many users for so many seconds, one stage after the other; then the test ends."""

    SPAWN_RATE: ClassVar[float] = 10.0  # users a second

    def tick(self) -> tuple[int, float] | None:
        """The users of the stage that the run time falls into."""
        runner: Any = self.runner
        now: float = self.get_run_time()  # type: ignore[no-untyped-call]
        ends = 0.0
        for seconds, users in stages(runner.environment.parsed_options.stages):
            ends += seconds
            if now < ends:
                return users, self.SPAWN_RATE
        return None


def stages(text: str) -> list[tuple[float, int]]:
    """From `10:2,30:6`: 2 users for 10 s, then 6 for 30 s. Raises ValueError for anything else."""
    pairs = [stage.split(":") for stage in text.split(",")]
    found = [(float(seconds), int(users)) for seconds, users in pairs]
    if not all(0 < seconds < math.inf and users >= 0 for seconds, users in found):
        raise ValueError(text)
    return found
