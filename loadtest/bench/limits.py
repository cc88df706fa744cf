"""Runs `limit`, the in-process limit of an engine, as one of the systems, and beside the worker of this engine."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any, Self

from loadtest.bench.case import BLOCKS, CASES, FIRST, TURNS, Case
from loadtest.bench.cases import Durations, Row
from loadtest.bench.in_turns import Turn
from loadtest.bench.server import TAIL, ServerEnded
from loadtest.bench.texts import BLOCK
from stack.environment import above
from stack.site import REPOSITORY

LIMIT_SECONDS = 300.0


class Limit:
    """`with Limit(engine, folder, round_) as limit:` returns when the engine has embedded a text.

    Raises ServerEnded with the program's output when it ends, or is not done within LIMIT_SECONDS.
    """

    def __init__(self, engine: str, folder: Path, round_: int) -> None:
        self._environment = above({"HF_HUB_OFFLINE": "1", "ENGINE": engine})
        self._log = folder / "limit.log"
        self._number = round_ * BLOCKS

    def __enter__(self) -> Self:
        began = time.perf_counter()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "loadtest.bench.limit"],
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._timer = Timer(LIMIT_SECONDS, self._process.kill)
        self._timer.start()
        try:
            self.ready_seconds: float = self._answer()["ready_at"] - began
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.communicate()

    def first(self) -> Row:
        """The figures of the first requests."""
        return self._ask({"first": (self._number + FIRST) * BLOCK})

    def measure(self, case: Case, offset: int, seconds: float, client_cpu: float) -> Row:
        """The figure of a case with the texts of a block of this round, while another process uses so much of a CPU."""
        number = self._number + offset
        return self._ask({"case": case.name, "block": number, "seconds": seconds, "client_cpu": client_cpu})

    def turn(self, case: Case, seconds: float, client_cpu: float) -> Turn:
        """The same as one side of `in_turns`."""
        return Turn(self.measure(case, TURNS, seconds, client_cpu)["figure"], client_cpu)

    def _ask(self, order: Mapping[str, Any]) -> Row:
        with suppress(BrokenPipeError):  # the answer says why
            print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Row:
        assert self._process.stdout  # noqa: S101 - for mypy
        line = self._process.stdout.readline()
        if not line:
            raise ServerEnded(f"exit code {self._process.wait()}: {self._log.read_text().strip()[-TAIL:]}")
        answer: Row = json.loads(line)
        return answer


def measure_limit(engine: str, folder: Path, round_: int, durations: Durations, client_cpu: Mapping[str, float]) -> Row:
    """Measure one row. `client_cpu` is, by case, the share of a CPU that another process uses meanwhile."""
    with Limit(engine, folder, round_) as limit:
        row = {"ready_seconds": limit.ready_seconds, **limit.first(), "client_cpu": dict(client_cpu)}
        for offset, case in enumerate(CASES):
            found = limit.measure(case, offset, case.seconds * durations.scale, client_cpu.get(case.name, 0.0))
            row |= {case.figure: found["figure"], f"pass_texts_{case.name}": found["pass_texts"]}
            row["rss_mb"] = found["rss_mb"]
        return row
