"""Every system once a round, each started fresh, the order rotating from round to round."""

import json
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from loadtest.bench.cases import Durations, Row, measure
from loadtest.bench.limits import measure_limit
from loadtest.bench.systems import ENGINES, System, http_systems

LIMIT = "limit-"


def names() -> list[str]:
    """All systems, a limit right after the worker of its engine."""
    found = [system.name for system in http_systems()]
    for engine in ENGINES:
        found.insert(found.index(f"worker-{engine}") + 1, LIMIT + engine)
    return found


def order(wanted: Collection[str], round_: int) -> list[str]:
    """The wanted systems as this round takes them: another one first each time, a limit still after its worker."""
    units: list[list[str]] = []
    for name in (name for name in names() if name in wanted):
        follows = name.startswith(LIMIT) and units and units[-1] == [name.replace(LIMIT, "worker-")]
        if follows:
            units[-1].append(name)
        else:
            units.append([name])
    start = round_ % max(1, len(units))
    return [name for unit in units[start:] + units[:start] for name in unit]


class Rounds:
    """Measures, and keeps every row in memory and as a line of `file`; `failed` says who is left out, and why."""

    def __init__(self, wanted: Sequence[str], durations: Durations, file: TextIO) -> None:
        self.rows: list[Row] = []
        self.failed: dict[str, str] = {}
        self._wanted = wanted
        self._durations = durations
        self._file = file
        self._systems = {system.name: system for system in http_systems()}

    def run(self, rounds: int) -> Iterator[Row]:
        """Each row as soon as it is measured."""
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
        if name.startswith(LIMIT):
            engine = name.removeprefix(LIMIT)
            return measure_limit(engine, folder, round_, self._durations, self._client_cpu(engine, round_))
        system: System = self._systems[name]
        with system.launch(folder) as running:
            return measure(system, running, round_, self._durations)

    def _client_cpu(self, engine: str, round_: int) -> dict[str, float]:
        """What the load generator used for the worker of this engine in this round; nothing if it was not measured."""
        row = next((row for row in self.rows if row["system"] == f"worker-{engine}" and row["round"] == round_), {})
        used: dict[str, float] = row.get("client_cpu", {})
        return used
