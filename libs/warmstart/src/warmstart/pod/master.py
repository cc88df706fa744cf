"""gunicorn's master, which starts a successor before a process leaves, and which no reload can end.

gunicorn's hooks can't do this, and all of them are left to the service.
"""

import contextlib
import io
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import leave
from warmstart.pod import refusals
from warmstart.pod.board import Board
from warmstart.pod.process import NEEDS_SUCCESSOR, Process
from warmstart.pod.shared import Shared
from warmstart.pod.worker import RESPAWN_PAUSE, Worker
from warmstart.settings.service import METRICS_FOLDER, START_FAILED, ServiceSettings

log = logging.getLogger("warmstart.master")


class WaitNoLonger(Exception):
    """Ends one of gunicorn's waits, which has no purpose here."""


class Master(Arbiter):
    """Owns the board, which outlives each reading of the configuration: old and new processes are both on it."""

    # A process that exits with gunicorn's 3 or 4 would halt the master, also when siblings serve. A process says on the
    # board that it failed.
    WORKER_BOOT_ERROR = APP_LOAD_ERROR = -1

    settings: ClassVar[ServiceSettings]  # as last read by `configure`

    def __init__(self, app: BaseApplication) -> None:
        """Raises SystemExit(3) for a configuration that is refused."""
        try:
            refusals.check(app.cfg, self.settings)
        except refusals.Refused as error:
            sys.stderr.write(f"bad setting {error}\n")
            raise SystemExit(START_FAILED) from None
        self.board = Board()
        self._not_before = 0.0
        self._environment = app.cfg.env_orig
        self._reloads = False
        self._read = app.reload
        app.reload = self._read_or_keep  # type: ignore[method-assign]
        super().__init__(app)

    def setup(self, app: BaseApplication) -> None:
        """Called at first, and after each reading of the configuration."""
        super().setup(app)
        self._began = time.monotonic()
        worker_class: Any = app.cfg.worker_class
        settings = self.settings
        kept = Shared() if settings.secrets_from else None  # after SIGHUP, secrets are fetched again

        def placed(*arguments: Any) -> Worker:
            worker: Worker = worker_class(*arguments)
            worker.settings = settings
            worker.place = Process(self.board, self.board.claim_slot(), elder=self.master_pid, kept=kept)
            return worker

        self.worker_class = placed  # type: ignore[assignment]

    def start(self) -> None:
        """Listen. gunicorn exits with 1 when an address is not on this host, or is taken for five seconds."""
        try:
            super().start()
        except SystemExit as exit_:
            raise SystemExit(START_FAILED if exit_.code == 1 else exit_.code) from None

    def init_signals(self) -> None:
        """Also handle the signal of a process that wants a successor."""
        super().init_signals()
        signal.signal(NEEDS_SUCCESSOR, self.signal)

    def handle_urg(self) -> None:
        """Start a process for each that wants to leave, never having more than twice as many as there should be.

        gunicorn then asks the oldest to leave, as after SIGHUP; those that want to leave count as the oldest.
        """
        self.board.want(self.num_workers)
        leaving = [each for each in self._workers() if (entry := self.board.read(each.place.slot)) and entry.leaving]
        for each in leaving:
            each.age = 0
        missing = self.num_workers - (len(self.WORKERS) - len(leaving))
        room = 2 * self.num_workers - len(self.WORKERS)
        for _ in range(min(missing, room)):
            self.spawn_worker()

    def spawn_worker(self) -> int:
        """Start a process; if that fails (no memory, no process ids), try later. gunicorn would exit.

        The new process ends here, not in gunicorn, and so skips what it inherited from the master for its exit:
        `atexit` functions, and `weakref.finalize` with every temporary folder of the master.
        """
        if not self.board.first_ready:
            self.board.expect(self.num_workers)
        self.board.want(self.num_workers)
        self.board.keep({each.place.slot for each in self._workers()})  # frees slots of processes that never started
        try:
            return super().spawn_worker()
        except (OSError, RuntimeError) as error:
            if not self.board.first_ready:
                raise
            log.error("no new process could be started: %s", error)
            return 0
        except SystemExit as exit_:
            if os.getpid() != self.pid:
                leave(exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None))
            raise

    def manage_workers(self) -> None:
        """Called at each signal, and once a second. A process that ended early is not replaced in a tight loop."""
        if time.monotonic() >= self._not_before:
            super().manage_workers()

    def reap_workers(self) -> None:
        """Find processes that have ended."""
        if self._reloads:  # gunicorn waits here for the old processes to end, and they wait for the new ones
            raise WaitNoLonger
        before: dict[int, Any] = dict(self.WORKERS)
        try:
            super().reap_workers()
        finally:
            for pid in before.keys() - self.WORKERS.keys():
                self._bury(pid, before[pid])

    def _bury(self, pid: int, worker: Worker) -> None:
        """Free the slot; halt with status 3 when the pod never was ready and can't be.

        `HaltServer` raised while the master already stops would crash it: it has no listeners then.
        """
        # prometheus_client must know its folder first.
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

        from warmstart.pod import metric_files  # noqa: PLC0415

        entry = self.board.read(worker.place.slot)
        if entry and entry.phase in (Phase.STARTING, Phase.WARMING):
            self._not_before = time.monotonic() + RESPAWN_PAUSE
        self.board.clear(worker.place.slot)
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
        metric_files.absorb(Path(os.environ[METRICS_FOLDER]), {os.getpid(), *self.WORKERS})
        failed = entry and (entry.phase is Phase.FAILED or not entry.pid)  # without: it never came to write its own
        if self.board.first_ready or not self.LISTENERS:
            return
        limit = self.settings.startup_timeout
        late = time.monotonic() - self._began > limit
        if late and not failed:  # a process that is killed in its start says nothing itself
            log.error("STARTUP_TIMEOUT: not ready within %g s; processes ended while they were starting", limit)
        if late or failed:
            raise HaltServer("the service could not start", START_FAILED)

    def stop(self, graceful: bool = True) -> None:
        """Tell the processes that the whole pod stops, so that none of them waits for a successor."""
        self.board.stop()
        super().stop(graceful)

    def reload(self) -> None:
        """SIGHUP. A configuration that can't be used changes nothing.

        gunicorn would wait `graceful_timeout` at the end of a reload, and handle no signal meanwhile, SIGTERM included.
        """
        self._reloads = True
        try:
            super().reload()
        except refusals.Refused as error:
            log.error("not reloaded: %s; the running processes serve on", error)
        except WaitNoLonger:
            pass
        finally:
            self._reloads = False

    def reexec(self) -> None:
        """SIGUSR2 starts another master, with the environment that this one was started with.

        gunicorn would pass on the variables that the first reading set: the folder of the metrics, which this master
        removes at its end.
        """
        self.cfg.env_orig = self._environment
        super().reexec()

    def _read_or_keep(self) -> None:
        """Have gunicorn read its configuration again. gunicorn exits if that fails; this raises Refused instead."""
        before, said = self.app.cfg, io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                self._read()
                refusals.check(self.app.cfg, self.settings)
                refusals.require_bound(self.app.cfg, before)
                _ = self.app.cfg.logger_class  # imported when it is read, as the worker class is
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the running processes stay
            self.app.cfg = before
            raise refusals.Refused(_gist(said.getvalue()) or _sentence(error)) from None

    def _workers(self) -> list[Worker]:
        workers: list[Any] = list(self.WORKERS.values())
        return workers


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, refusals.Refused) else repr(error)


def _gist(said: str) -> str:
    """The lines that `settings.load` wrote, or else the last line, which in a traceback is the error."""
    lines = [line for line in said.splitlines() if line.strip()]
    return "; ".join([line for line in lines if line.startswith("bad setting ")] or lines[-1:])
