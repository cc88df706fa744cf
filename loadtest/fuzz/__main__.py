"""Sends both services odd bytes, requests made from their OpenAPI documents, and slow connections.

python -m loadtest.fuzz --messages 40000 --cases 10000 --seed 7; exit code 1 when an answer is wrong.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import uvloop

from loadtest.bench.ending import end_cleanly_on_sigterm
from loadtest.bench.probes import probes
from loadtest.bench.verdict import Bound, conclude
from loadtest.fuzz import slow
from loadtest.fuzz.cases import Scenario
from loadtest.fuzz.messages import Maker
from loadtest.fuzz.report import Report
from loadtest.fuzz.wire import exchange
from stack import EmbeddedStack, Part, free_ports, until_async

SERVICES: tuple[Part, ...] = ("worker", "api")
CONNECTIONS = 16  # senders of odd bytes at the same time
SETTLED = 0.1  # the memory is first read after this share of all requests
LONGEST = 3600.0  # seconds until then
LONGEST_LINE = 2**24  # bytes of a line that the sender of cases prints


def memory(stack: EmbeddedStack, part: Part) -> float:
    """Resident MB of all processes of a service."""
    return sum(psutil.Process(pid).memory_info().rss for pid in stack.pids(part)) / 2**20


async def send_bytes(port: int, maker: Maker, messages: int, report: Report) -> None:
    """Send the messages that `maker` makes."""
    left = messages

    async def send() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            message = maker.next()
            report.sent[message.name] += 1
            try:
                answers = await exchange(port, message, maker.pieces(message.data))
            except (OSError, TimeoutError) as error:
                report.wrong.append(f"{message.name}: {error!r}: {message.data!r}")
            else:
                report.note(message, answers.statuses, answers.damage)

    began = time.monotonic()
    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    report.seconds = time.monotonic() - began


async def send_cases(url: str, requests: int, seed: int, report: Report) -> None:
    """Send the requests of schemathesis from another process, since that uses a CPU most of the time."""
    arguments = (url, "--requests", str(requests), "--seed", str(seed))
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.fuzz.cases", *arguments, stdout=asyncio.subprocess.PIPE, limit=LONGEST_LINE
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in process.stdout:
            report.note_scenario(Scenario(**json.loads(line)))
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    report.seconds = time.monotonic() - began


async def memory_after(stack: EmbeddedStack, part: Part, reports: Sequence[Report], requests: float) -> float:
    """The memory as soon as so many requests were sent."""
    await until_async(
        lambda: sum(report.sent.total() for report in reports) >= requests, LONGEST, "a part of the requests", 0.1
    )
    return memory(stack, part)


async def fuzz(stack: EmbeddedStack, part: Part, messages: int, cases: int, seed: int) -> list[Bound]:
    """Everything for one service, its probes watched."""
    port, before = stack.site.ports[part], stack.pids(part)
    reports, done = (Report(), Report()), asyncio.Event()
    with probes(port) as prober:
        holding = asyncio.create_task(slow.hold(port, part, done))
        settling = asyncio.create_task(memory_after(stack, part, reports, SETTLED * (messages + cases)))
        await asyncio.gather(
            send_bytes(port, Maker(part, seed), messages, reports[0]),
            send_cases(stack.url(part), cases, seed, reports[1]),
        )
        growth = memory(stack, part) / await settling
        done.set()
        held = await holding
    for report in reports:
        report.show(part)
    for kind, (_, longest) in held.items():
        print(f"{part}: {slow.CONNECTIONS // len(held)} connections with {kind}: open for {longest:.1f} s at most")
    unsound = sum(look.value != "200" for track in prober.tracks.values() for look in track.looks)
    wrong = sum(len(report.wrong) for report in reports)
    return [
        Bound(f"{part}: messages sent", reports[0].sent.total(), "=", messages),
        Bound(f"{part}: requests of schemathesis sent", reports[1].sent.total(), "≥", cases),
        Bound(f"{part}: wrong, missing or further answers", wrong, "=", 0),
        Bound(f"{part}: processes that ended", len(set(before) - set(stack.pids(part))), "=", 0),
        Bound(f"{part}: memory after / after the first tenth", growth, "≤", 1.05),
        Bound(f"{part}: probes that were not 200", unsound, "=", 0),
        Bound(
            f"{part}: slow connections still open after {slow.PATIENCE:g} s", sum(n for n, _ in held.values()), "=", 0
        ),
    ]


def main() -> int:
    """Exit code 1 when a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000, help="messages for each service")
    parser.add_argument("--cases", type=int, default=2_000, help="requests of schemathesis, for each service")
    parser.add_argument("--services", nargs="+", choices=SERVICES, default=SERVICES)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    settings = {"ENGINE": "fake", "LOG_LEVEL": "warning"}
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        EmbeddedStack(Path(folder), free_ports(), environment=settings) as stack,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return max(
            [
                conclude(runner.run(fuzz(stack, part, options.messages, options.cases, options.seed)))
                for part in options.services
            ]
        )


if __name__ == "__main__":
    end_cleanly_on_sigterm()
    sys.exit(main())
