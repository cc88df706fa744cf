"""One run of one drill: steady state, fault, observation, repair, steady state, and then the verdict."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from drills.guard import Aborted, Guard, Proof, Shown
from drills.interrupts import INTERRUPTS
from drills.judgement import STEADY_AGAIN, Evidence, judge, strays
from drills.ledger import in_flight, kind, unexpected, unrecovered
from drills.options import CONTROL_SHARE, Options
from drills.result import Result, Violation, figure
from drills.row import Row
from drills.system import System
from drills.watch import Watch
from loadtest.openloop import Background, Constant, Plan, Stream
from loadtest.openloop import Row as Request
from stack import Part, Stack, StackError, until
from stack.toxic.toxics import Toxic

RATE = 100.0  # requests/s: well below what two cores carry beside the generator and the probes
CLIENT_TIMEOUT = 15.0  # seconds; above REQUEST_TIMEOUT, to tell a late answer from none
LOOK = 0.05  # seconds between two checks of a fact, some of which ask an engine
SETTLE, CONTROL_SETTLE = 1.5, 0.8  # seconds of load after a step; a control must only fail, and is not measured
RECOVERS = 15.0  # seconds of further load; streams of one request a second recover within a few


class Drill:
    """The interface for a scenario. Entered, the system is steady and watched; left, it is repaired and judged."""

    def __init__(self, row: Row, system: System, options: Options, folder: Path, run: int, *, controlled: bool) -> None:
        self.row = row = row.on(system.kind)
        self.system = system
        self.controlled = controlled
        self.requests = int(options.requests * (CONTROL_SHARE if controlled else 1))
        self.documents = options.documents
        self._abort_after, self._enough = options.abort_after, options.enough
        control = row.control if controlled else None
        self.result = Result(
            row.name, row.claim, row.fault, system.kind, row.engine, run,
            control.without if control else "", control.breaks if control else "",
        )  # fmt: skip
        self.watches: dict[Part, Watch] = {}
        self.folder = folder
        self._loads: list[Background] = []
        self._rate = RATE
        self._guard: Guard | None = None
        self._proof: Proof | None = None
        self._promises: dict[str, Callable[[Request], bool]] = {}
        self._unwinding = ExitStack()
        self._faults: list[tuple[float, float]] = []
        self._open: list[float] = []  # begins of faults that last
        self._proofs: set[str] = set()

    @property
    def stack(self) -> Stack:
        """That of the system."""
        return self.system.stack

    def __enter__(self) -> Self:
        try:
            self.system.configure(self.row, controlled=self.controlled)
            self.system.prove_steady()
        except BaseException:
            with INTERRUPTS.shielded():
                self.system.heal()  # the next drill needs it too
            raise
        self.begin = time.monotonic()
        if not self.row.starts:
            self.system.remember_known_texts()
            self.watch()
        return self

    def watch(self) -> None:
        """Begin to ask the probes. For a service that the drill starts itself, this is called after its start."""
        for part in self.row.probes:
            self.watches[part] = Watch(partial(self.stack.probe_url, part))
            self.watches[part].start()

    def unwatch(self) -> None:
        """Stop asking the probes: from now on the platform may restart what has ended."""
        for watch in self.watches.values():
            watch.stop()

    def start(self, part: Part, **more: str) -> None:
        """Start a service with the drill's settings and more, and don't wait for it."""
        self.undo(lambda: self.system.restore(part))
        settings = self.system.settings_of(self.row, part, controlled=self.controlled)
        self.system.start(part, {**settings, **more}, wait=False)

    def undo(self, action: Callable[[], Any]) -> None:
        """Do this at the end of the drill, whatever happens."""
        self._unwinding.callback(action)

    def address(self, part: Part) -> tuple[str, int]:
        """Host and port of a service."""
        parts = urlsplit(self.stack.url(part))
        return str(parts.hostname), parts.port or 80

    def load(self, *streams: Stream | str, rate: float = RATE, timeout: float = CLIENT_TIMEOUT) -> Background:
        """Let requests leave at a constant rate until the drill ends; a name is a maker of requests to the api."""
        url = self.stack.url("api")
        made = tuple(each if isinstance(each, Stream) else Stream(each, url) for each in streams)
        plan = Plan(Constant(rate), made, timeout=timeout, seed=len(self._loads))
        path = self._rows_file(len(self._loads))
        load = Background(plan, path)
        self._unwinding.enter_context(load)
        if not self._loads:
            self._rate = rate
            if self.controlled:  # it has lost what bounds the harm, and must show it
                self._proof = Proof(path, self._enough)
            else:
                self._guard = Guard(path, self.row.radius, self._abort_after)
        self._loads.append(load)
        return load

    def go(self, share: float) -> None:
        """Wait until this share of the requests was answered, and not before the last step had time to show."""
        settle = CONTROL_SETTLE if self.controlled else SETTLE
        wanted = max(int(self.requests * share), self.sent() + int(self._rate * settle))
        limit = self.requests / self._rate * 5 + 60
        until(self._guarded(lambda: self.sent() >= wanted), limit, f"{wanted} requests", interval=0.1)

    def _guarded(self, holds: Callable[[], Any]) -> Callable[[], Any]:
        """The same question, which raises Aborted when something outside the blast radius suffers.

        In a control it raises Shown when the control has violated what it must: the rest would take time only.
        """

        def look() -> Any:
            if self._guard:
                self._guard.check()
            if self.controlled and self._has_shown():
                raise Shown(self.result.breaks)
            return holds()

        return look

    def _has_shown(self) -> bool:
        fact = self.result.breaks
        if any(violated == fact for violated, _ in self.result.violations):
            return True
        if not self._open and not self._faults:  # what failed before the fault proves nothing
            return False
        begin = min([*self._open, *(begin for begin, _ in self._faults)])
        if strays(self.row, self.watches, fact, begin):
            return True
        counts = self._unexpected if fact == "clients" else self._promises.get(fact)
        if counts is None or self._proof is None:
            return False
        return self._proof.found(lambda row: (row.done or begin) >= begin and counts(row))

    def _unexpected(self, row: Request) -> bool:
        """Whether clients must not see it; of what is in flight at a fault, that is known after the fault."""
        if self.row.in_flight and (self._open or any(in_flight(row, *window) for window in self._faults)):
            return False
        return bool(unexpected([row], self.row.clients, self.row.radius))

    def sent(self) -> int:
        """Requests of the first load that were answered or have failed."""
        return (
            max(0, self._rows_file(0).read_bytes().count(b"\n") - 1) if self._loads else 0
        )  # the first says what runs

    def _rows_file(self, number: int) -> Path:
        return self.folder / f"{number}.jsonl"

    @contextmanager
    def fault(self, undo: Callable[[], Any] | None = None) -> Iterator[None]:
        """Time a fault. It is undone at the end of the block, or at the end of the drill if the block never ends."""
        with ExitStack() as undoing:
            if undo:
                undoing.callback(undo)
            began = time.monotonic()
            self._open.append(began)
            try:
                yield
            finally:
                with INTERRUPTS.shielded():
                    undoing.close()
                    self._open.remove(began)
                    self._faults.append((began, time.monotonic()))

    @contextmanager
    def switched(self, part: Part, **faults: object) -> Iterator[None]:
        """A fault that a service's fault switches make."""
        with self.fault(lambda: self.stack.inject(part, {})):
            self.stack.inject(part, faults)
            yield

    @contextmanager
    def spoiled(self, part: Part, words: str) -> Iterator[None]:
        """A fault of the connections between the api and a part, in the words of `python -m stack toxic add`."""
        with self.fault(lambda: self.stack.spoil(part, ())):
            self.respoil(part, words)
            yield

    def respoil(self, part: Part, words: str) -> None:
        """Break its connections in another way from now on; `spoiled` undoes that too."""
        self.stack.spoil(part, Toxic.parse(words.split()))

    @contextmanager
    def slowed(self, part: Part, seconds: float) -> Iterator[None]:
        """Slow inference down. This is a condition of the drill, not its fault."""
        self.undo(lambda: self.stack.inject(part, {}))
        self.stack.inject(part, {"slow_calls": {"inference": seconds}})
        yield
        self.stack.inject(part, {})

    @property
    def fault_times(self) -> tuple[float, float]:
        """Begin and end of the last fault, in monotonic seconds."""
        return self._faults[-1]

    def hold(self, seconds: float) -> None:
        """Keep watching for so many seconds, in which what must never happen must not happen."""
        ends = time.monotonic() + seconds
        until(self._guarded(lambda: time.monotonic() >= ends), seconds + 60, f"{seconds:g} s", interval=LOOK)

    def until(self, fact: str, holds: Callable[[], Any], seconds: float) -> float:
        """Wait until a fact is true; returns the seconds that it took. Raises Violation when the time is over."""
        began = time.monotonic()
        try:
            until(self._guarded(holds), seconds, fact, interval=LOOK)
        except (Aborted, Shown):
            raise
        except StackError as error:
            raise Violation(fact, str(error)) from error
        return time.monotonic() - began

    def until_ready(self, part: Part, fact: str = "it is ready again", seconds: float = 60) -> float:
        """Wait until a watched service says that it is ready."""
        return self.until(fact, lambda: self.watches[part].tracks["/readyz"].now == "200", seconds)

    def kill_one(self, part: Part) -> float:
        """SIGKILL to one process of a service; returns the seconds until its replacement was ready."""
        watch = self.watches[part]
        known, whole = len(watch.pids), " ".join(["ready"] * len(watch.first_pids))
        self.kill_process(part)
        return self.until("it is replaced", lambda: len(watch.pids) > known and watch.phase.now == whole, 60)

    def kill_process(self, part: Part) -> None:
        """SIGKILL to one process of a service; the fault lasts until it is gone, and its connections with it."""
        known = set(self.stack.pids(part))
        with self.fault():
            self.stack.signal_process(part, Signals.SIGKILL)
            self.until("it is gone", lambda: known - set(self.stack.pids(part)), 10)

    def expect(self, fact: str, holds: object, detail: object) -> None:
        """Record whether a fact is true; the drill goes on."""
        if not holds:
            self.result.violations.append((fact, str(detail)))

    def served(self, fact: str, rows: Iterable[Request]) -> None:
        """Note whether none of these requests has failed."""
        failed = Counter(kind(row) for row in rows if not row.ok)
        self.expect(fact, not failed, f"{failed.total()} failed: {dict(failed)}")

    def promise(self, fact: str, counts: Callable[[Request], bool]) -> None:
        """None of the requests for which `counts` holds may fail: judged when the drill is over, of all of them."""
        self._promises[fact] = counts

    def prove(self, sign: str, holds: object) -> None:
        """Record a sign of the fault, if it was seen; without each sign of `Row.bites` the drill fails."""
        if holds:
            self._proofs.add(sign)

    def require(self, fact: str, holds: object, detail: object) -> None:
        """Raise Violation unless a fact is true, since the rest of the drill would make no sense."""
        if not holds:
            raise Violation(fact, str(detail))

    def measure(self, **values: float | str) -> None:
        """Add figures to the report."""
        self.result.measures |= {name: figure(value) for name, value in values.items()}

    def rows(self, stream: str = "") -> list[Request]:
        """Requests of the first load, or of one of its streams. After the end of the load, all of them."""
        found = self._loads[0].rows() if self._loads else ()
        return [row for row in found if stream in ("", row.stream)]

    def during(self, stream: str = "") -> list[Request]:
        """Those of `rows` that were due while the last fault lasted."""
        begin, end = self.fault_times
        return [row for row in self.rows(stream) if begin < row.scheduled < end]

    def finish(self) -> list[Request]:
        """Stop the load, and return the requests of the first load.

        A drill sends until each stream is well again, for RECOVERS more seconds at most (see `judgement`).
        """
        if self._faults and not self._open and not self.controlled:
            with suppress(Violation):
                self.until("it recovers", lambda: not unrecovered(self.rows(), self._faults[-1][1]), RECOVERS)
        for load in self._loads:
            load.stop()
        return self.rows()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        with INTERRUPTS.shielded(), ExitStack() as undoing:
            undoing.callback(self.system.heal)
            undoing.callback(self._unwinding.close)
            self.unwatch()
        if error and not isinstance(error, Violation | Aborted | Shown):
            return False
        if isinstance(error, Violation):
            self.expect(error.fact, holds=False, detail=error.detail)
        if isinstance(error, Aborted):
            self.result.aborted = str(error)
        try:
            self.system.prove_steady()
        except StackError as unsteady:
            self.expect(STEADY_AGAIN, holds=False, detail=unsteady)
        rows = self.rows()
        if not self.result.aborted:
            for fact, counts in self._promises.items():
                self.served(fact, filter(counts, rows))
        seen = Evidence(
            self.begin, self._faults, self.watches, rows, self._verdict(), self._proofs, isinstance(error, Shown)
        )
        judge(self.row, seen, self.result)
        return True

    def _verdict(self) -> str:
        return self._loads[0].run.verdict.reason if self._loads else ""
