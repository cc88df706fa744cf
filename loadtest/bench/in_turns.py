"""Measures a system and its limit in turns: a machine's speed changes, by a third from one minute to the next."""

from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import NamedTuple, TypeAlias

from loadtest.bench.case import Case
from loadtest.bench.closed_loop import closed_loop
from loadtest.bench.dialects import Dialect
from loadtest.bench.texts import batches

TURNS = 8  # fewer in a run that `scale` makes shorter
SHARE = 0.25  # of the case's seconds, for each turn
WARM_SECONDS = 0.15


class WrongAnswers(OSError):
    """A server gave answers other than the right ones; `kinds` counts them."""

    def __init__(self, kinds: Mapping[str, int]) -> None:
        super().__init__(f"answers in turns: {dict(kinds)}")
        self.kinds = dict(kinds)


class Turn(NamedTuple):
    """What one turn showed: the case's figure, and the load generator's share of one CPU."""

    figure: float
    client_cpu: float


# Measures a case for so many seconds, while something else uses that share of one CPU, if a load generator doesn't.
Side: TypeAlias = Callable[[Case, float, float], Turn]


def in_turns(system: Side, limit: Side, case: Case, scale: float) -> float:
    """Median over the turns of both figures compared. Raises what a side raises."""
    compared = []
    for _ in range(max(2, round(TURNS * min(1.0, scale)))):
        ours = system(case, case.seconds * SHARE * scale, 0.0)
        theirs = limit(case, case.seconds * SHARE * scale, ours.client_cpu)
        compared.append(case.compared(ours.figure, theirs.figure))
    return median(compared)


def server(port: int, dialect: Dialect, texts: Iterator[str]) -> Side:
    """The side of a running server. It raises WrongAnswers."""

    def ask(case: Case, seconds: float, _client_cpu: float) -> Turn:
        sent = batches(texts, case.texts)
        load = closed_loop(port, dialect, sent, case.clients, seconds=seconds, warm=WARM_SECONDS)
        if load.errors:
            raise WrongAnswers(load.errors)
        return Turn(load.p50_ms if case.is_latency else load.whole_texts_per_s, load.cpu)

    return ask
