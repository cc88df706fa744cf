"""A run in a process of its own, so that neither side's work delays the other's."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.openloop.plan import Plan
from loadtest.openloop.rows import Row, Run, read
from stack import StackError, until
from stack.site import REPOSITORY

START_SECONDS = 20.0


class Background:
    """`with Background(plan, path) as load:` begins when requests leave, and ends when all of them are answered.

    An exception in the block kills it instead; the rows so far stay.

    Args:
        plan: what to send. A maker of your own must be importable from the repository's root.
        path: the file of the rows; its log is beside it, with `.log` at the end.

    Raises:
        StackError: the process ended before the first request left; with what it said.
    """

    def __init__(self, plan: Plan, path: Path) -> None:
        self._plan, self._path = plan, path
        self._log = path.with_name(f"{path.name}.log")

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "loadtest.openloop", str(self._path.resolve()), "--attached"),
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the calling program, which then stops the generator
            )
        try:
            self._feed()
            until(self._has_begun, START_SECONDS, "the load generator's start", interval=0.01)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:  # an error or an interrupt doesn't wait for answers
            self.kill()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the end of the plan. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        self._process.wait(timeout)

    def stop(self) -> None:
        """Send no more requests, and wait until those in flight have ended: up to the plan's timeout."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(self._plan.timeout + 5)
        except subprocess.TimeoutExpired:
            self.kill()
        except BaseException:
            self.kill()
            raise
        if self._process.stdin:
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once; the rows so far stay."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Of the generator."""
        return self._process.pid

    @property
    def run(self) -> Run:
        """All that was written so far; everything, after the end."""
        return read(self._path)

    def rows(self) -> Sequence[Row]:
        """The rows so far, in order of number."""
        return self.run.rows

    def _feed(self) -> None:
        if self._process.stdin:
            self._process.stdin.write(f"{self._plan.to_json()}\n".encode())
            self._process.stdin.flush()

    def _has_begun(self) -> bool:
        if self._process.poll() is not None:
            raise StackError(f"the load generator ended with exit code {self._process.returncode}:\n{self.said}")
        return self._path.exists() and self._path.stat().st_size > 0

    @property
    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text()[-2000:]
