"""The data of a session of the lab, as `summary.json` has it (see README.md beside the lab)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

SCHEMA = 1
PHASES = ("accept", "first_answer", "livez", "startupz", "readyz", "first_embedding", "steady")

Kind = Literal["users", "quiet"]


@dataclass(frozen=True)
class Users:
    """The outcomes for users who came in the first seconds after exec.

    Attributes:
        window: seconds after exec in which users came.
        served: users with a good answer within `PATIENCE` of their scheduled time.
        waited: users with a good answer, but later.
        failed: all other users, by outcome: a status, or the name of an error.
        latencies: milliseconds until each good answer, in the order of arrival.
        offsets: milliseconds after exec when these users came.
    """

    window: float
    served: int
    waited: int
    failed: Mapping[str, int]
    latencies: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def arrived(self) -> int:
        """All of them."""
        return self.served + self.waited + sum(self.failed.values())


@dataclass(frozen=True)
class Trial:
    """One start.

    Attributes:
        number: its place in the session's random order.
        strategy: the strategy's name.
        kind: `users`: with open-loop arrivals; `quiet`: without them, and then one request of each shape at a time.
        start: seconds from the process's creation to each of `PHASES`; None for a phase that was not reached.
        engine: name, precision and threads, from the worker.
        valid: False when it was disturbed: the load generator fell behind, or others used over a tenth of the CPUs;
            `reason` says which.
        others: share of the machine's CPU time since exec that the trial did not use; None in a cluster.
        stolen: the part of `others` that the host of this virtual machine took.
        busiest: in a disturbed trial, shares of the machine's CPU time by the name of the program.
        users: only in a `users` trial.
        shapes: only in a `quiet` trial: milliseconds of requests 1 to N for each shape, in order.
        idle: only in a `quiet` trial with a pause: milliseconds of the first request of each shape after it.
    """

    number: int
    strategy: str
    kind: Kind
    start: Mapping[str, float | None]
    engine: Mapping[str, Any] = field(default_factory=dict)
    valid: bool = True
    reason: str = ""
    others: float | None = 0.0
    stolen: float = 0.0
    busiest: Mapping[str, float] = field(default_factory=dict)
    users: Users | None = None
    shapes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    idle: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From JSON."""
        users = values.get("users")
        shapes = {name: tuple(times) for name, times in values.get("shapes", {}).items()}
        known = Users(**{**users, **_tuples(users)}) if users else None
        return cls(**{**values, "users": known, "shapes": shapes})


@dataclass(frozen=True)
class Measurement:
    """A session: `machine` is what it ran on, `strategies` the settings by name, `rolling` a rolling restart."""

    machine: Mapping[str, Any]
    strategies: Mapping[str, Mapping[str, str]]
    trials: tuple[Trial, ...]
    rolling: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write it; one line a trial, so that a difference can be read."""
        head = {"schema": SCHEMA, "machine": dict(self.machine), "strategies": self.strategies, "rolling": self.rolling}
        text = json.dumps(head, indent=1)[:-2]
        trials = ",\n".join(f"  {json.dumps(asdict(trial))}" for trial in self.trials)
        path.write_text(f'{text},\n "trials": [\n{trials}\n ]\n}}\n')

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it. Raises ValueError for another schema."""
        values = json.loads(path.read_text())
        if values.pop("schema") != SCHEMA:
            raise ValueError(f"{path} has another schema than {SCHEMA}")
        return cls(**{**values, "trials": tuple(map(Trial.of, values["trials"]))})

    def plus(self, trial: Trial) -> Self:
        """With one more trial."""
        return replace(self, trials=(*self.trials, trial))

    def of(self, strategy: str, kind: Kind | None = None) -> list[Trial]:
        """The trials behind a strategy's figures: of each kind the undisturbed ones, or all if there are none."""
        trials = [each for each in self.starts(strategy) if kind in (None, each.kind)]
        quiet = {each.kind for each in trials if each.valid}
        return [each for each in trials if each.valid or each.kind not in quiet]

    def disturbed(self, strategy: str) -> bool:
        """Whether any of its figures comes from disturbed trials, since there are no others of their kind."""
        return any(not each.valid for each in self.of(strategy))

    def starts(self, strategy: str) -> list[Trial]:
        """All starts. A disturbed start can't be compared, but a start budget must allow for it."""
        return [each for each in self.trials if each.strategy == strategy]


def seconds(trials: Iterable[Trial], phase: str) -> list[float]:
    """What the trials have of one phase."""
    return [value for trial in trials if (value := trial.start.get(phase)) is not None]


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
