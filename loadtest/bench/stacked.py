"""The api with its own Postgres, Valkey and worker; the time of its start counts from when they are up."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from loadtest.bench.server import TAIL, ServerEnded
from stack import EmbeddedStack, free_ports


class StackedApi:
    """`with StackedApi(...) as api:` starts the api last, and returns at once."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        ports = free_ports()
        self.port = ports["api"]
        self.worker_port: int | None = ports["worker"]
        self._stack = EmbeddedStack(folder, ports, ("postgres", "valkey", "worker"), environment)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._stack.down)
            self._stack.up()
            self._stack.migrate()
            self.started = time.perf_counter()
            self._stack.start("api", wait=False)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.down()

    def check(self) -> None:
        """Raise ServerEnded when the api has ended."""
        if not self._stack.pids("api"):
            raise ServerEnded(self._stack.logs("api")[-TAIL:])

    def pids(self) -> list[int]:
        """The api's processes, the main one first."""
        return self._stack.pids("api")
