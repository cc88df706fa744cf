"""What a drill came to, as the report has it."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from drills.ledger import Ledger


class Violation(AssertionError):
    """A fact that the drill claims did not hold."""

    def __init__(self, fact: str, detail: str) -> None:
        super().__init__(f"{fact}: {detail}")
        self.fact = fact
        self.detail = detail


def figure(value: float | str) -> float | str:
    """A measured value as a report has it; JSON has no number for the seconds until an answer that never came."""
    if not isinstance(value, float):
        return value
    return round(value, 3) if math.isfinite(value) else "no answer"


@dataclass
class Result:
    """One run of one drill, or of its control. Times are seconds from the drill's begin.

    Attributes:
        verdict: `held`, `broken` or `aborted`; of a control `failed as it must`, `passed` or `failed otherwise`.
        violations: fact and detail of each.
        aborted: why the drill ended early, or nothing.
        windows: of the faults.
        tracks: by service and probe, the changes of its answer; `phase` is that of the pod's processes.
        recovery: from the end of the fault until the last request that failed had ended; None if requests failed until
            the load ended, or none was sent after the fault.
        buckets: requests by quarters of a second of their scheduled time: ok, waited, refused, lost.
        measures: further figures of the drill.
        generator: why the load generator's times are invalid, or nothing.
    """

    name: str
    claim: str
    fault: str
    stack: str
    engine: str
    run: int
    control: str = ""
    breaks: str = ""
    verdict: str = "held"
    violations: list[tuple[str, str]] = field(default_factory=list)
    aborted: str = ""
    windows: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0
    tracks: dict[str, dict[str, list[tuple[float, str]]]] = field(default_factory=dict)
    slowest_probe: float = 0.0
    restarts: dict[str, int] = field(default_factory=dict)
    ledger: Ledger | None = None
    recovery: float | None = None
    buckets: list[tuple[float, int, int, int, int]] = field(default_factory=list)
    measures: dict[str, float | str] = field(default_factory=dict)
    generator: str = ""

    @property
    def good(self) -> bool:
        """Whether the verdict is the right one."""
        return self.verdict in ("held", "failed as it must")

    @property
    def title(self) -> str:
        """The claim, or the protection that the control lacks."""
        return f"control: without {self.control}" if self.control else self.claim

    def as_json(self) -> dict[str, Any]:
        """For summary.json."""
        return asdict(self)
