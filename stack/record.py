"""The pid file: identifies our process, also when a later process gets the same pid."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

# Clock adjustments shift the start time that the kernel reports for a process.
SAME_START_SECONDS = 1.0


@dataclass(frozen=True)
class Record:
    """A process and the port that it was given; `created` is in seconds since the epoch."""

    pid: int
    created: float
    port: int

    @classmethod
    def of(cls, process: psutil.Process, port: int) -> Self:
        """The record of this process."""
        return cls(process.pid, process.create_time(), port)

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """The record in a file; None if the file is missing or can't be read."""
        try:
            return cls(**json.loads(file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def save(self, file: Path) -> None:
        """Write it."""
        file.write_text(json.dumps(asdict(self)))

    def process(self) -> psutil.Process | None:
        """The recorded process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None
