"""Starts a server in a session of its own at a known time, and ends it with everything that it started."""

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from loadtest.bench.ending import sigterm_waits
from stack import StackError
from stack.environment import above
from stack.ports import HOST

STOP_SECONDS = 10.0
TAIL = 1500  # characters of a log that are shown as the reason


class ServerEnded(StackError):
    """The server is gone; the message is the end of its log."""


class Server:
    """`with Server(...) as server:` starts at once and returns at once; `started` is in `time.perf_counter()`."""

    worker_port: int | None = None  # no worker is behind this server

    def __init__(self, argv: Sequence[str], port: int, log: Path, cwd: Path, environment: Mapping[str, str]) -> None:
        self.port = port
        self._argv = argv
        self._log = log
        self._cwd = cwd
        self._environment = above({"HOST": HOST, "HF_HUB_OFFLINE": "1", **environment})

    def __enter__(self) -> Self:
        try:
            with self._log.open("wb") as log, sigterm_waits():
                self.started = time.perf_counter()
                self._process = subprocess.Popen(
                    self._argv,
                    cwd=self._cwd,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except SystemExit:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        processes = self._all()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
        for process in processes[1:]:
            if process.is_running():
                process.kill()

    def check(self) -> None:
        """Raise ServerEnded when the server has ended."""
        if (code := self._process.poll()) is not None:
            raise ServerEnded(f"exit code {code}: {self._log.read_text(errors='replace').strip()[-TAIL:]}")

    def pids(self) -> list[int]:
        """The main process and all its descendants, the main one first."""
        return [process.pid for process in self._all()]

    def _all(self) -> list[psutil.Process]:
        try:
            main = psutil.Process(self._process.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
