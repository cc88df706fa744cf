"""Counts and judges the answers of one service to one kind of sender."""

from collections import Counter
from dataclasses import dataclass, field

from loadtest.fuzz.cases import Scenario
from loadtest.fuzz.messages import Message

SHOWN = 5  # wrong answers that are printed


@dataclass
class Report:
    """Counts, and what was wrong, each with the request that shows it."""

    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int | None] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, message: Message, statuses: list[int], damage: str) -> None:
        """Count one exchange, and judge it."""
        self.statuses.update(statuses)
        expected = list(message.statuses)
        why = damage or ("a server error" if any(status in (500, 502) for status in statuses) else "")
        if message.kind == "whole" and statuses != expected:
            why = why or f"{expected} expected"
        if message.kind == "cut" and len(statuses) > len(expected):
            why = why or "answered too often"
        if why:
            self.wrong.append(f"{message.name}: {why}, got {statuses}: {message.data!r}")

    def note_scenario(self, scenario: Scenario) -> None:
        """Count its requests; schemathesis has judged them."""
        self.sent["requests of schemathesis"] += len(scenario.statuses)
        self.statuses.update(scenario.statuses)
        self.wrong += scenario.faults
        self.wrong += ["no answer"] * scenario.statuses.count(None)

    def show(self, part: str) -> None:
        """Print the counts, and the first wrong answers."""
        statuses = dict(sorted(self.statuses.items(), key=str))
        line = f"{part}: {dict(self.sent)} in {self.seconds:.0f} s; statuses {statuses}"
        print("\n".join([line, *self.wrong[:SHOWN]]), flush=True)
