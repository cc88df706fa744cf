"""Four clients that send one sentence after the other while other clients do something else."""

from collections.abc import Iterator
from itertools import count
from typing import Any, TypeAlias

from loadtest.bench.reference import ASK, Reference
from loadtest.bench.texts import sentences
from loadtest.closed_loop import ClosedLoop, Sent

CLIENTS = 4
One: TypeAlias = Sent[tuple[str, int]]  # the phase of the request, and the number of its sentence


class Rest:
    """`run` until `stop`; each request carries the `phase` in which it was sent."""

    def __init__(self, port: int) -> None:
        self.phase = "before"
        self.sent: list[One] = []
        self._loop = ClosedLoop(port, self._requests(), self.sent.append, CLIENTS)
        self.run, self.stop = self._loop.run, self._loop.stop

    def _requests(self) -> Iterator[tuple[tuple[str, int], bytes]]:
        for turn in count():
            number = turn % len(sentences())
            yield (self.phase, number), ASK.request([sentences()[number]])

    def seconds(self, phase: str) -> list[float]:
        """Latencies of the requests of a phase."""
        return [each.seconds for each in self.sent if each.what[0] == phase]

    def tokens(self, reference: Reference) -> int:
        """The tokens of their answered requests."""
        return sum(reference.tokens[each.what[1]] for each in self.sent if each.outcome == 200)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One for each request."""
        for each in self.sent:
            yield {"phase": each.what[0], "status": each.outcome, "ms": each.seconds * 1000}
