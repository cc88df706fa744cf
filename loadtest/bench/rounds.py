"""Measures every system once in each round, each started fresh, in an order that rotates from round to round."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from loadtest.bench.beside import BARE, LIMIT_PREFIX, beside, started
from loadtest.bench.cases import Durations, Row, added, measure
from loadtest.bench.in_turns import WrongAnswers
from loadtest.bench.limits import measure_limit
from loadtest.bench.systems import ENGINES, OTHERS, WORKER_PREFIX, Running, System, named


def names() -> list[str]:
    """The systems measured by default; any other engine may be named too, such as worker-fake."""
    of_engines = [prefix + engine for engine in ENGINES for prefix in (WORKER_PREFIX, LIMIT_PREFIX)]
    return [f"{WORKER_PREFIX}auto", *of_engines, *(system.name for system in OTHERS)]


def unknown(wanted: Sequence[str]) -> list[str]:
    """The names that no system has."""
    return [name for name in wanted if name not in names() and not name.startswith((WORKER_PREFIX, LIMIT_PREFIX))]


def order(wanted: Sequence[str], round_: int) -> list[str]:
    """The wanted systems in the order of this round: another one first each time, a limit right after its worker."""
    units = [[name] for name in wanted if _worker_of(name) not in wanted]
    for unit in units:
        unit += [name for name in wanted if _worker_of(name) == unit[0]]
    start = round_ % max(1, len(units))
    return [name for unit in units[start:] + units[:start] for name in unit]


def _worker_of(name: str) -> str | None:
    """The worker of the same engine as a limit."""
    return WORKER_PREFIX + name.removeprefix(LIMIT_PREFIX) if name.startswith(LIMIT_PREFIX) else None


def compare(row: Row, found: Callable[[], Row]) -> None:
    """Add what was found in turns with another system, or why nothing was: the row's own figures stay."""
    try:
        row |= found()
    except Exception as error:  # noqa: BLE001 - whatever the other system does
        row["not_in_turns"] = f"{type(error).__name__}: {error}"
        if isinstance(error, WrongAnswers):
            row["errors"] = {**row.get("errors", {}), "in turns": error.kinds}


class Rounds:
    """Measures, keeping every row in memory and as a line of `file`; `failed` has the systems left out, and why."""

    def __init__(self, wanted: Sequence[str], durations: Durations, file: TextIO) -> None:
        self.rows: list[Row] = []
        self.failed: dict[str, str] = {}
        self._wanted = wanted
        self._durations = durations
        self._file = file

    def run(self, rounds: int) -> Iterator[Row]:
        """Yield each row as soon as it is measured."""
        for round_ in range(rounds):
            for name in order(self._wanted, round_):
                if name not in self.failed:
                    yield self._measure(name, round_)

    def _measure(self, name: str, round_: int) -> Row:
        began = time.perf_counter()
        row: Row = {"round": round_, "system": name}
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            try:
                row |= self._figures(name, round_, Path(folder))
            except Exception as error:  # noqa: BLE001 - whatever a system does, the others are measured
                row["failed"] = self.failed[name] = f"{type(error).__name__}: {error}"
        row["took_seconds"] = time.perf_counter() - began
        self.rows.append(row)
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        return row

    def _figures(self, name: str, round_: int, folder: Path) -> Row:
        if name.startswith(LIMIT_PREFIX):
            engine = name.removeprefix(LIMIT_PREFIX)
            return measure_limit(engine, folder, round_, self._durations, self._client_cpu(engine, round_))
        system = named(name)
        with system.launch(folder) as running:
            row = measure(system, running, round_, self._durations)
            compare(row, lambda: added(system, running, round_, self._durations))
            limit = BARE if system.cache == "hit" else name.replace(WORKER_PREFIX, LIMIT_PREFIX)
            if limit != name and limit in self._wanted and limit not in self.failed:
                compare(row, lambda: self._beside(limit, system, running, round_, folder))
            return row

    def _beside(self, limit: str, system: System, running: Running, round_: int, folder: Path) -> Row:
        with started(limit, folder, round_) as side:
            return {"in_turns": beside(side, system, running, round_, self._durations.scale)}

    def _client_cpu(self, engine: str, round_: int) -> dict[str, float]:
        """What the load generator used for the worker of this engine in this round; nothing if it was not measured."""
        row = next((row for row in self.rows if row["system"] == WORKER_PREFIX + engine and row["round"] == round_), {})
        used: dict[str, float] = row.get("client_cpu", {})
        return used
