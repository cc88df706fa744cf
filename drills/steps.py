"""What the drills do to a running system, as commands of `python -m stack`, for tools that run such steps."""

from collections.abc import Mapping
from dataclasses import dataclass

from drills.rows.connections import SLOW
from stack import PARTS, Part


@dataclass(frozen=True)
class Steps:
    """The fault of a drill.

    Attributes:
        do: commands, in their order; arguments are separated by spaces and have none.
        seconds: that pass after each of them.
        undo: commands that end the fault; run again, they change nothing.
    """

    do: tuple[str, ...]
    seconds: float = 0.0
    undo: tuple[str, ...] = ()

    @property
    def switched(self) -> tuple[Part, ...]:
        """Services that obey it when they were started with FAULTS_ENABLED=1."""
        beginnings = {part: (f"fault {part}", *(["toxic add"] if part == "api" else [])) for part in PARTS}
        return tuple(part for part in PARTS if any(each.startswith(beginnings[part]) for each in self.do))


# Drills that aren't here start the services in a way of their own, or send what only they send: they run as a whole.
STEPS: Mapping[str, Steps] = {
    "slow_warmup": Steps(("fault worker slow_warmup=3", "restart worker FAULTS_ENABLED=1"), undo=("fault worker",)),
    "worker_killed": Steps(("signal worker KILL --process",) * 3, 5),
    "worker_restarted": Steps(("restart worker",)),
    "worker_frozen": Steps(("pause worker",), 6, ("resume worker",)),
    "worker_unreachable": Steps(("cut worker",), 8, ("mend worker",)),
    "inference_stuck": Steps(('fault worker slow_calls={"inference":3600}',), 20, ("fault worker",)),
    "engine_broken": Steps(('fault worker failing_calls=["inference"]',), 20, ("fault worker",)),
    "event_loop_blocked": Steps(("fault api blocked_loop=true",), 5, ("fault api",)),
    "worker_process_killed": Steps(("signal worker KILL --process",) * 3, 5),
    "api_process_killed": Steps(("signal api KILL --process",) * 3, 5),
    "postgres_stopped": Steps(("stop postgres",), 4, ("up",)),
    "postgres_paused": Steps(("pause postgres",), 5, ("resume postgres",)),
    "postgres_restarted": Steps(("restart postgres",)),
    "redis_stopped": Steps(("stop valkey",), 4, ("up",)),
    "redis_paused": Steps(("pause valkey",), 5, ("resume valkey",)),
    "redis_restarted": Steps(("restart valkey",)),
    "postgres_slow": Steps((f"toxic add postgres {SLOW}",), 6, ("toxic clear postgres",)),
    "redis_slow": Steps((f"toxic add valkey {SLOW}",), 6, ("toxic clear valkey",)),
    "worker_slow": Steps((f"toxic add worker {SLOW}",), 6, ("toxic clear worker",)),
    "postgres_black_holed": Steps(
        ("toxic add postgres timeout", "toxic add postgres half_open"), 5, ("toxic clear postgres",)
    ),
    "worker_black_holed": Steps(("toxic add worker timeout", "toxic add worker half_open"), 5, ("toxic clear worker",)),
    "worker_answers_half": Steps(
        (
            "toxic add worker reset_peer",
            "toxic clear worker",
            "toxic add worker limit_data bytes=1000 stream=downstream",
            "toxic clear worker",
            "toxic add worker bandwidth rate=0.2 stream=downstream",
        ),
        3,
        ("toxic clear worker",),
    ),
    "clock_moved": Steps(
        tuple(f"fault {part} moved_clock={seconds}" for seconds in (3600, -3600) for part in ("worker", "api")),
        3,
        ("fault worker", "fault api"),
    ),
    "recovery_stampede": Steps(("stop valkey", "stop postgres", "pause worker"), 2, ("resume worker", "up")),
    "rolling_restart_api": Steps(("roll api",)),
    "rolling_restart_worker": Steps(("roll worker",)),
    "workers_added": Steps(("scale worker 3",), 15, ("scale worker 1",)),
    "workers_removed": Steps(("scale worker 3", "scale worker 1"), 15, ("scale worker 1",)),
}
