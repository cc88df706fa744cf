"""Sends odd bytes to both services, and slow connections; exit code 1 when an answer is wrong.

python -m loadtest.fuzz --messages 100000 --seed 7
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import uvloop

from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.probes import Probes
from loadtest.bench.verdict import Bound, conclude
from loadtest.fuzz import slow
from loadtest.fuzz.messages import Maker, Message
from loadtest.fuzz.wire import exchange
from stack import EmbeddedStack, Part, free_ports

CONNECTIONS = 16  # at a time
SETTLED = 0.3  # share of the messages after which the memory is looked at first
SHOWN = 5  # wrong answers that are printed


@dataclass
class Report:
    """What one service did."""

    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

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


def memory(stack: EmbeddedStack, part: Part) -> float:
    """Resident MB of all processes of a service."""
    return sum(psutil.Process(pid).memory_info().rss for pid in stack.pids(part)) / 2**20


async def send_all(stack: EmbeddedStack, part: Part, messages: int, seed: int) -> tuple[Report, float]:
    """Send the messages; the report, and how much memory grew after the first third, as a ratio."""
    maker, report, port = Maker(part, seed), Report(), stack.site.ports[part]
    left = messages
    settled = 0.0

    async def send() -> None:
        nonlocal left, settled
        while left > 0:
            left -= 1
            if left == int(messages * (1 - SETTLED)):
                settled = memory(stack, part)
            message = maker.next()
            report.sent[message.name] += 1
            try:
                answers = await exchange(port, message, maker.pieces(message.data))
            except (OSError, TimeoutError) as error:
                report.wrong.append(f"{message.name}: {error!r}: {message.data!r}")
            else:
                report.note(message, answers.statuses, answers.damage)

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return report, memory(stack, part) / settled


async def fuzz(stack: EmbeddedStack, part: Part, messages: int, seed: int) -> list[Bound]:
    """Everything for one service, its probes watched."""
    port, before = stack.site.ports[part], stack.pids(part)
    probes = Probes(port)
    watching = asyncio.create_task(probes.watch())
    holding = asyncio.create_task(slow.hold(port, part))
    began = time.monotonic()
    report, growth = await send_all(stack, part, messages, seed)
    seconds = time.monotonic() - began
    held = await holding
    watching.cancel()
    print(f"{part}: {dict(report.sent)} in {seconds:.0f} s; statuses {dict(sorted(report.statuses.items()))}")
    for kind, (_, last) in held.items():
        print(
            f"{part}: {slow.CONNECTIONS // len(held)} connections with {kind}: the last was closed after {last:.1f} s"
        )
    print("\n".join(report.wrong[:SHOWN]))
    unsound = sum(count for outcomes in probes.outcomes.values() for name, count in outcomes.items() if name != "200")
    return [
        Bound(f"{part}: messages sent", sum(report.sent.values()), "=", messages),
        Bound(f"{part}: wrong, missing or further answers", len(report.wrong), "=", 0),
        Bound(f"{part}: processes that ended", len(set(before) - set(stack.pids(part))), "=", 0),
        Bound(f"{part}: memory after / after the first third", growth, "≤", 1.05),
        Bound(f"{part}: probes that were not 200", unsound, "=", 0),
        Bound(
            f"{part}: slow connections still open after {slow.PATIENCE:g} s", sum(n for n, _ in held.values()), "=", 0
        ),
    ]


def main() -> int:
    """Exit code 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000, help="for each of the two services")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings = {"ENGINE": "fake", "LOG_LEVEL": "warning"}
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        EmbeddedStack(Path(folder), free_ports(), environment=settings) as stack,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        bounds = [
            bound
            for part in ("worker", "api")
            for bound in runner.run(fuzz(stack, part, options.messages, options.seed))
        ]
    return conclude(bounds)


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
