"""A real gunicorn in a session of its own, ended with everything it started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import psutil

from stack.http import Answer
from stack.port_claims import free_ports
from stack.waiting import until
from tests.harness.http import get, outcome

REPOSITORY = Path(__file__).resolve().parents[2]

SCRIPT = str(Path(sys.executable).with_name("gunicorn"))  # `python -m gunicorn` can't be started again by SIGUSR2


class Gunicorn:
    """`with Gunicorn(conf, folder, NAME="value") as service:` starts at once and returns at once."""

    def __init__(self, conf: Path, folder: Path, **env: object) -> None:
        self.port = int(str(env.get("PORT", 0))) or free_ports()["api"]
        self.command, self.cwd = [SCRIPT, "-c", str(conf)], REPOSITORY
        self._log = folder / f"gunicorn-{self.port}.log"
        self.env = {name: str(value) for name, value in env.items()} | {"PORT": str(self.port)}

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env={**os.environ, **self.env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        # A stopped or paused process ignores anything milder; the session is ours alone.
        for each in [*self.workers(), self.process.pid]:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(timeout=10)

    @property
    def log(self) -> str:
        """All that master and workers wrote so far."""
        return self._log.read_text()

    def error_lines(self, *words: str) -> list[str]:
        """Log lines of level ERROR that hold all `words`."""
        return [line for line in self.log.splitlines() if " ERROR " in line and all(word in line for word in words)]

    def workers(self) -> list[int]:
        """Process ids of the gunicorn workers."""
        try:
            return [child.pid for child in psutil.Process(self.process.pid).children()]
        except psutil.NoSuchProcess:
            return []

    def get(self, path: str, timeout: float = 10) -> Answer:
        """The answer to a GET on a fresh connection."""
        return get(self.port, path, timeout=timeout)

    def post(self, path: str, payload: object, timeout: float = 10) -> Answer:
        """The answer to a POST of JSON on a fresh connection."""
        return get(self.port, path, "POST", payload, timeout)

    def wait_for(self, path: str, status: int | str, timeout: float = 60) -> None:
        """Until `path` gives `status`; an error holds the last outcome and the end of the log."""

        def reached() -> bool:
            if (last := outcome(self.port, path)) != status:
                raise AssertionError(f"it gave {last}; log:\n{self.log[-2000:]}")
            return True

        until(reached, timeout, f"{status} from {path}")

    def wait_ready(self, timeout: float = 60) -> Self:
        """Until `/readyz` is 200."""
        self.wait_for("/readyz", 200, timeout)
        return self

    def wait_for_log(self, text: str, timeout: float = 60) -> None:
        """Until the log holds `text`."""
        until(lambda: text in self.log, timeout, f"{text!r} in the log", lambda: self.log[-2000:])

    def terminate(self) -> None:
        """SIGTERM to the master, as `docker stop` and the kubelet send it."""
        self.process.send_signal(signal.SIGTERM)

    def wait_exit(self, timeout: float = 60) -> int:
        """The master's exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s; log:\n{self.log[-2000:]}") from None
