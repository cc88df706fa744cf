"""One load test from start to exit code, hooked into locust's events."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
from locust import events, log
from locust.env import Environment

from loadtest.load.arrivals import Arrivals
from loadtest.load.documents import remove
from loadtest.load.options import add_options, headers
from loadtest.load.page import add_verdict
from loadtest.load.users import CheckedUser
from loadtest.load.verdict import BROKEN, Thresholds, conclude
from loadtest.openloop import Constant, Plan, Row, RowFile, Verdict
from loadtest.openloop.client import understood
from loadtest.openloop.makers import asked_to_store
from loadtest.openloop.verdict import judge
from stack import StackError
from stack.choice import current
from stack.site import DEFAULT_ROOT

CLOSED_LOOP = Plan(Constant(0), ())  # closed-loop requests have no schedule


def install() -> None:
    """Install it. Call it once, when the locustfile is loaded."""
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(_init)


def _init(environment: Environment, **_: Any) -> None:
    _interrupt_here(environment)
    environment.host = environment.host or api_of(DEFAULT_ROOT)
    try:
        understood(environment.host)
    except ValueError as error:
        sys.exit(f"loadtest: {error}")
    options: Any = environment.parsed_options
    if options.headless:
        environment.process_exit_code = BROKEN  # until a run is judged: locust's own code for what fails before is 2
    session = Session(environment)
    CheckedUser.listeners = [session.row]
    environment.events.test_start.add_listener(session.start)
    environment.events.test_stop.add_listener(session.stop)
    environment.events.test_stop.add_listener(session.clear_up)
    environment.events.quitting.add_listener(session.stop)  # after Ctrl-C this event comes before test_stop
    environment.events.quit.add_listener(session.end)


def _interrupt_here(environment: Environment) -> None:
    """Let Ctrl-C end the run by interrupting this greenlet, locust's main one.

    Python interrupts the greenlet that runs: that of an open-loop request swallowed it with the request, and the run
    went on. SIGTERM ends a headless run in the same way: locust's own handler is there only after the stages.
    """
    options: Any = environment.parsed_options
    for sig in (signal.SIGINT, signal.SIGTERM) if options.headless else (signal.SIGINT,):
        gevent.signal_handler(sig, gevent.kill, gevent.getcurrent(), KeyboardInterrupt)


def api_of(root: Path) -> str:
    """The address of the recorded stack's api; leaves the program when it doesn't run."""
    try:
        stack = current(root)
    except StackError as error:
        sys.exit(f"loadtest: {error}")
    if not stack.pids("api"):
        sys.exit("loadtest: the api doesn't run: make up first, or name another with --host")
    return stack.url("api")


class Session:
    """Keeps the rows of a run, and judges them at the end. In the web UI, one run follows another."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._options: Any = environment.parsed_options
        self._closed: list[Row] = []
        self._open: list[Row] = []
        self._file: RowFile | None = None
        self._arrivals: Arrivals | None = None
        self._crashed = False  # before this run
        self._said = ""

    def start(self, **_: Any) -> None:
        """Begin new files of rows."""
        self._closed, self._open, self._crashed = [], [], log.unhandled_greenlet_exception
        folder = Path(self._options.rows)
        self._file = RowFile(folder / "closed.jsonl", CLOSED_LOOP)
        self._file.begin(time.monotonic())
        if self._options.open_rate > 0:
            host = self._environment.host or ""
            self._arrivals = Arrivals(self._environment, host, folder / "open.jsonl", self._open.append)

    def row(self, row: Row) -> None:
        """Called when a closed-loop request has ended."""
        if self._file:
            self._closed.append(row)
            self._file.add(row)

    def stop(self, **_: Any) -> None:
        """Wait for the open loop, judge the rows and set the exit code."""
        if self._file is None:
            if self._options.headless:
                self._said = self._said or "BROKEN: no request was judged."
            return
        generator = self._arrivals.stop() if self._arrivals else None  # after Ctrl-C, users go on meanwhile
        self._file.end(judge(row.lag for row in self._closed), stopped=True)
        self._file.close()
        self._file = self._arrivals = None
        limits = Thresholds(self._options.max_failed, self._options.max_p95)
        rows, faults = [*self._closed, *self._open], list(self._faults(generator))
        self._environment.process_exit_code, self._said = conclude(rows, limits, generator, faults)
        if not self._options.headless:
            self.say()

    def _faults(self, generator: Verdict | None) -> Iterator[str]:
        """What went wrong in the load test itself: locust goes on, and our exit code hides its own."""
        if self._options.open_rate > 0 and generator is None:
            yield "the open loop did not begin"
        runner: Any = self._environment.runner
        for each in runner.exceptions.values():
            yield f"{each['count']} x an exception in a user's task: {each['msg']}"
        if log.unhandled_greenlet_exception and not self._crashed:
            yield "an exception in locust or in a listener of its events: the log has it"

    def clear_up(self, **_: Any) -> None:
        """Delete the documents of the run; nobody stores any more."""
        count = len(asked_to_store)
        why = remove(self._environment.host or "", asked_to_store, headers()) if count else ""
        if why:
            print(f"loadtest: {len(asked_to_store)} of its {count} documents are not removed: {why}", file=sys.stderr)

    def end(self, **_: Any) -> None:
        """Locust has written its report, and printed its tables."""
        self.clear_up()  # after Ctrl-C, users may have stored some since the first time
        code, file = self._environment.process_exit_code, self._options.html_file
        if self._said and code is not None and file and Path(file).exists():
            add_verdict(Path(file), code, self._said)
        self.say()

    def say(self) -> None:
        """Print the conclusion; headless, after locust's own tables."""
        if self._said:
            print(f"\n{self._said}\nRaw rows: {self._options.rows}", file=sys.stderr)
            self._said = ""
