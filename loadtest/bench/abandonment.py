"""500 clients leave while they wait: `python -m loadtest.bench.abandonment`, or `make abandonment`.

The worker's own counters show that it doesn't compute their texts, and four other clients go on as before.
"""

import asyncio
import sys
import time
from dataclasses import dataclass
from statistics import median

import uvloop

from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.metrics import counter, counters
from loadtest.bench.probes import wait_for_queue
from loadtest.bench.reference import ASK, Reference, run_ask_all
from loadtest.bench.rest import Rest
from loadtest.bench.texts import sentences
from loadtest.bench.trial import TOKENS, Capacity, capacity, fresh, keep
from loadtest.bench.verdict import Bound, conclude
from loadtest.connection import Connection

CLIENTS = 500
TEXTS = 3  # of each client: 1,500 texts of 30 tokens are two thirds of a full queue
STAY = 0.2  # seconds from the last request until all clients leave
CALM = 4.0  # seconds before and after in which only the four others send
NOTICE = 0.5  # seconds in which the worker must notice that 500 connections are closed
LAST_PASSES = 128  # texts that were in the engine, or on their way to it
EMPTY_SECONDS = 1.0
OTHERS_TOKENS = 4 * 256  # the most that the four clients can have in the queue
DROPPED = "worker_dropped_total"


@dataclass(frozen=True)
class Left:
    """The refused clients, those answered before they left, and seconds from the first request to the last close."""

    refused: frozenset[int]
    answered: int
    seconds: float

    @property
    def numbers(self) -> list[int]:
        """The numbers of the accepted sentences."""
        return [number for client in range(CLIENTS) if client not in self.refused for number in numbers_of(client)]


@dataclass(frozen=True)
class Counts:
    """The worker's counters."""

    tokens: float
    abandoned: float

    @classmethod
    def read(cls, port: int) -> "Counts":
        """Read the counters."""
        return cls(counter(port, TOKENS), counters(port, DROPPED).get("abandoned", 0.0))

    def since(self, before: "Counts") -> "Counts":
        """The difference to earlier counters."""
        return Counts(self.tokens - before.tokens, self.abandoned - before.abandoned)


def main() -> int:
    """Exit code 1 when a bound is missed."""
    with fresh() as running:
        reference = run_ask_all(running.port)
        able = capacity(running.port)
        before = Counts.read(running.port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            left, empty_seconds, rest = runner.run(_abandon(running.port))
        counts = Counts.read(running.port).since(before)
    keep("abandonment", rest.rows())
    asked = sum(reference.tokens[number] for number in left.numbers)
    computed = counts.tokens - rest.tokens(reference)
    print(
        f"{CLIENTS} clients asked for {TEXTS} texts each ({len(left.refused)} were refused), {asked:,} tokens in all"
        f" ({asked / able.tokens_per_s:.1f} s of work), and left after {left.seconds:.2f} s, {left.answered} answered:"
        f" {counts.abandoned:.0f} texts were dropped, {computed:,.0f} tokens computed"
    )
    allowed = _allowed(left, able)
    return conclude(
        [
            Bound("share that the engine could do meanwhile (else no trial)", allowed, "≤", 0.8),
            Bound("share of their texts that was dropped", counts.abandoned / len(left.numbers), "≥", 1 - allowed),
            Bound("share of their tokens that was computed", computed / asked, "≤", allowed),
            Bound("seconds until the queue held the others' texts only", empty_seconds, "≤", EMPTY_SECONDS),
            *_others(rest, reference),
        ]
    )


async def _abandon(port: int) -> tuple[Left, float, Rest]:
    rest = Rest(port)
    going_on = asyncio.create_task(rest.run())
    await asyncio.sleep(CALM)
    rest.phase = "crowd"
    left = await _crowd(port)
    _, empty_seconds = await asyncio.to_thread(wait_for_queue, port, OTHERS_TOKENS, 10.0)
    rest.phase = "after"
    await asyncio.sleep(CALM)
    rest.stop()
    await going_on
    return left, empty_seconds, rest


def numbers_of(client: int) -> list[int]:
    """The sentences that one of the 500 asks for."""
    return [client * TEXTS + text for text in range(TEXTS)]


async def _crowd(port: int) -> Left:
    connections = [await Connection.open(port) for _ in range(CLIENTS)]
    began = time.perf_counter()
    waiting = [
        asyncio.create_task(connection.exchange(ASK.request([sentences()[number] for number in numbers_of(client)])))
        for client, connection in enumerate(connections)
    ]
    await asyncio.sleep(STAY)
    answers = {client: task.result() for client, task in enumerate(waiting) if task.done()}
    refused = frozenset(client for client, answer in answers.items() if answer.status == 503)
    for connection in connections:
        connection.close()
    seconds = time.perf_counter() - began
    await asyncio.gather(*waiting, return_exceptions=True)
    return Left(refused, len(answers) - len(refused), seconds)


def _allowed(left: Left, able: Capacity) -> float:
    """The share of the texts that the engine could compute before the worker noticed, with those under way then."""
    return (able.texts_per_s * (left.seconds + NOTICE) + LAST_PASSES) / len(left.numbers)


def _others(rest: Rest, reference: Reference) -> list[Bound]:
    calm, later = rest.seconds("before"), rest.seconds("after")
    good = [(each.what[1], each.answer) for each in rest.sent if each.answer and each.outcome == 200]
    wrong = sum(reference.wrong([number], answer) for number, answer in good)
    return [
        Bound("the others: answers", len(rest.sent), "≥", 1),
        Bound("the others: not 200", sum(each.outcome != 200 for each in rest.sent), "=", 0),
        Bound("the others: vectors of another text", wrong, "=", 0),
        Bound("the others: p50 after / before", median(later) / median(calm), "≤", 1.5),
    ]


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
