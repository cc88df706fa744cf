"""The raw rows of a run: one line each, written as they happen."""

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from loadtest.openloop.plan import Plan
from loadtest.openloop.verdict import Verdict, judge

HIDDEN = "hidden"


@dataclass(frozen=True)
class Row:
    """One request. Times are `time.monotonic()` seconds; None is what never came.

    Attributes:
        number: of the request in its run, from 0.
        stream: the label of its stream.
        scheduled: when the request was due. Latency counts from then.
        sent: when the generator turned to it, before it connected; later than `scheduled` by the generator's own lag.
        first_byte: when the first byte of the answer arrived.
        done: when the answer was complete, or the request had failed.
        status: of the answer.
        error: what came instead of a good answer: `refused`, `reset`, `closed` (without an answer), `timeout`,
            `unfinished` (the run ended first), `wrong: …` (the check's words), or the name of an exception.
        code: `error.code` of an answer that isn't 200, as both services have it, or of the last event of a stream.
        message: `error.message` of such an answer.
        retry_after: seconds, of that header.
        closes: whether the answer said `Connection: close`.
        connection: `new` or `reused`.
        timing: the parts of `Server-Timing`, in milliseconds.
        process: the pid at the other end of the connection, where it can be known (Linux, this machine); a proxy's, if
            there is one between.
        kept: what the request keeps of a good answer.
    """

    number: int
    stream: str
    scheduled: float
    sent: float
    first_byte: float | None = None
    done: float | None = None
    status: int | None = None
    error: str | None = None
    code: str | None = None
    message: str | None = None
    retry_after: float | None = None
    closes: bool = False
    connection: str | None = None
    timing: dict[str, float] = field(default_factory=dict)
    process: int | None = None
    kept: Any = None

    @property
    def ok(self) -> bool:
        """Whether the answer was 2xx, its check found nothing wrong, and no error came in a stream of events."""
        return self.status is not None and 200 <= self.status < 300 and not (self.error or self.code)

    @property
    def latency(self) -> float:
        """Seconds from the scheduled time to the end; infinite if the end never came."""
        return float("inf") if self.done is None else self.done - self.scheduled

    @property
    def lag(self) -> float:
        """Seconds by which the generator itself was late."""
        return self.sent - self.scheduled


class RowFile:
    """Writes rows; safe to use from several threads.

    The first line describes the run (`run`, `begin` as monotonic and `epoch` as wall-clock seconds), the last one how
    it ended. A killed run has no last line.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = path.open("w")
        self._plan = plan

    def begin(self, begin: float) -> None:
        """Write the first line; `begin` is the monotonic time that offsets count from.

        Of the plan's headers it has the names only: rows are passed on, and a value may be a key.
        """
        epoch = time.time() + begin - time.monotonic()
        plan = replace(self._plan, headers=dict.fromkeys(self._plan.headers, HIDDEN))
        self._write({"run": json.loads(plan.to_json()), "begin": begin, "epoch": epoch})

    def add(self, row: Row) -> None:
        """Write one row."""
        self._write({name: value for name, value in vars(row).items() if value is not None and value is not False})

    def end(self, verdict: Verdict, *, stopped: bool) -> None:
        """Write the last line."""
        self._write({"end": asdict(verdict), "stopped": stopped})

    def _write(self, line: dict[str, object]) -> None:
        text = json.dumps(line, default=float) + "\n"
        with self._lock:
            self._file.write(text)
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Run:
    """What a file of rows holds; `complete` is False when the generator was killed. Rows are in order of number."""

    plan: Plan
    begin: float
    rows: tuple[Row, ...]
    complete: bool

    @property
    def verdict(self) -> Verdict:
        """Whether the generator kept to its schedule."""
        return judge(row.lag for row in self.rows)


def read(path: Path) -> Run:
    """Read a run back, also one that is still going on or was killed while it wrote a line.

    Raises:
        ValueError: the file doesn't begin as one of `RowFile` does.
    """
    lines = path.read_text().splitlines(keepends=True)
    if not lines or not lines[0].startswith('{"run"'):
        raise ValueError(f"{path} holds no run")
    head = json.loads(lines[0])
    whole = [json.loads(line) for line in lines[1:] if line.endswith("\n")]
    rows = sorted((Row(**line) for line in whole if "number" in line), key=lambda row: row.number)
    complete = any("end" in line for line in whole)
    return Run(Plan.from_json(json.dumps(head["run"])), head["begin"], tuple(rows), complete)


def latencies(rows: Iterable[Row]) -> list[float]:
    """Latencies in seconds of the rows with a good answer."""
    return [row.latency for row in rows if row.ok]
