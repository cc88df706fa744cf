"""A background program that later calls find, signal and stop.

A shell stays as its parent and notes its exit code, so that any later call can read how it ended.
"""

import logging
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from threading import Thread

import psutil

from stack.errors import StackError
from stack.record import Record
from stack.site import REPOSITORY
from stack.waiting import until

log = logging.getLogger(__name__)

NOTE_EXIT_CODE = 'file=$1; shift; "$@"; echo $? > "$file"'
MARK = "WARMSTART_DAEMON"
SPAWN_SECONDS = 5.0
KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Command:
    """What to run: the whole command line and the whole environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]


class Daemon:
    """The main process of a part and its descendants.

    Args:
        name: for messages and file names.
        run: folder of the pid file and the exit code.
        log_file: where its output goes, after what is there.
    """

    def __init__(self, name: str, run: Path, log_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self._pid_file = run / f"{name}.json"
        self._exit_file = run / f"{name}.exit"
        self._log_start = 0  # where the log of the process that this object started begins

    def start(self, command: Command, port: int) -> None:
        """Start it in a session of its own; the port is only remembered.

        Raises:
            StackError: it runs already.
        """
        if self.main():
            raise StackError(f"{self.name} runs already")
        self._clear()
        self._exit_file.unlink(missing_ok=True)
        with self.log_file.open("ab") as out:
            self._log_start = out.tell()
            shell = subprocess.Popen(
                ["/bin/sh", "-c", NOTE_EXIT_CODE, "sh", str(self._exit_file), *command.argv],
                env={**command.environment, MARK: str(self._pid_file)},
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        Thread(target=shell.wait, daemon=True).start()  # otherwise it would stay as a zombie of this process
        until(lambda: self._adopt(shell.pid, port), SPAWN_SECONDS, f"start of {self.name}", interval=0.005)

    def _adopt(self, shell: int, port: int) -> bool:
        """Record the shell's child as the main process; returns whether that is done, or the child has ended."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(shell).children():
                Record.of(child, port, self._pid_file).save()
                return True
        return self.exit_code() is not None

    def main(self) -> psutil.Process | None:
        """The main process, if it runs.

        Where no pid file leads to it, its shell does: the file is lost, damaged, or of an earlier version.
        """
        record = Record.load(self._pid_file)
        return record.process() if record else next(self._of_shells(), None)

    def port(self) -> int | None:
        """The port that it was started with; None while it doesn't run, or where no pid file leads to it."""
        record = Record.load(self._pid_file)
        return record.port if record and record.process() else None

    def exit_code(self) -> int | None:
        """How the last main process ended (128 + N: by signal N); None while it runs or if none ever did."""
        try:
            return int(self._exit_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def ended(self) -> int | None:
        """`exit_code` of a main process that is gone: its shell notes it a moment later, and is waited for."""
        if self.exit_code() is None and self._pid_file.exists():
            psutil.wait_procs(list(self._shells()), timeout=KILL_SECONDS)
        return self.exit_code()

    def processes(self) -> list[psutil.Process]:
        """The main process and all its descendants, the main one first."""
        main = self.main()
        if main is None:
            return []
        try:
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def listens(self, port: int) -> bool:
        """Whether one of its processes listens on a port; true also where that can't be seen."""
        try:
            return any(_listens(process, port) for process in self.processes())
        except psutil.AccessDenied:
            return True

    def signal(self, sig: Signals) -> None:
        """Send a signal to the main process, if it runs."""
        main = self.main()
        _send([main] if main else [], sig)

    def pause(self) -> None:
        """Freeze all processes, the main process first, so that it starts no new ones meanwhile."""
        self.signal(SIGSTOP)
        processes = self.processes()
        _send(processes, SIGSTOP)
        until(lambda: all(map(_is_frozen, processes)), SPAWN_SECONDS, f"pause of {self.name}")

    def resume(self) -> None:
        """Continue them all."""
        _send(self.processes(), SIGCONT)

    def stop(self, sig: Signals, grace: float) -> int | None:
        """Ask the main process to end; kill whatever still runs after `grace` seconds."""
        processes = self.processes()
        if not processes:
            code = self.ended()
            self._clear()
            return code
        _send(processes[:1], sig)
        _send(processes, SIGCONT)  # a paused process would not handle the signal
        _, alive = psutil.wait_procs(processes, timeout=grace)
        if alive:
            log.warning("%s did not stop within %g s: killed", self.name, grace)
            self._kill(alive)
        with suppress(StackError):  # if the shell was killed, the exit code is unknown
            until(lambda: self.exit_code() is not None, KILL_SECONDS, f"exit code of {self.name}")
        self._clear()
        return self.exit_code()

    def _clear(self) -> None:
        self._kill(self._left_behind())
        self._pid_file.unlink(missing_ok=True)

    def tail(self, lines: int = 25) -> str:
        """The end of its log, without what earlier runs left there."""
        return "\n".join(self.logs(self._log_start).splitlines()[-lines:])

    def logs(self, start: int = 0) -> str:
        """Everything that it has logged, from byte `start` on."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_bytes()[start:].decode(errors="replace")

    def _left_behind(self) -> Iterator[psutil.Process]:
        """Our processes that outlived a killed main process."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self._pid_file):
                    yield process
            except psutil.Error:  # it has ended, or belongs to another user
                continue

    def _shells(self) -> Iterator[psutil.Process]:
        """The shell that will note the exit code, if it runs."""
        for process in self._left_behind():
            with suppress(psutil.Error):
                if NOTE_EXIT_CODE in process.cmdline():
                    yield process

    def _of_shells(self) -> Iterator[psutil.Process]:
        """The main process, as a child of its shell, if it runs."""
        for shell in self._shells():
            with suppress(psutil.NoSuchProcess):
                yield from (each for each in shell.children() if each.status() != psutil.STATUS_ZOMBIE)

    def _kill(self, processes: Iterable[psutil.Process]) -> None:
        doomed = list(processes)
        _send(doomed, SIGKILL)
        psutil.wait_procs(doomed, timeout=KILL_SECONDS)


def _send(processes: Iterable[psutil.Process], sig: Signals) -> None:
    for process in processes:
        try:
            process.send_signal(sig)
        except psutil.NoSuchProcess:
            continue


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        found = process.net_connections("inet")
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)


def _is_frozen(process: psutil.Process) -> bool:
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
