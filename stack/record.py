"""The pid file: identifies our process, also when a later process gets the same pid."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Record:
    """A process, the port that it was given, and the pid file that is about it.

    `begun` names its start without the clock, which may be set: the boot of the machine, and the ticks since then.
    """

    pid: int
    begun: str
    port: int
    file: str

    @classmethod
    def of(cls, process: psutil.Process, port: int, file: Path) -> Self:
        """The record of this process. Raises psutil.NoSuchProcess."""
        return cls(process.pid, _begun(process.pid), port, str(file))

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """The record in a file; None if the file is missing, can't be read, or was copied with its folder."""
        try:
            found = cls(**json.loads(file.read_text()))
            written = Path(found.file)
            return found if not written.exists() or written.samefile(file) else None  # a folder that moved is ours
        except (OSError, ValueError, TypeError):
            return None

    def save(self) -> None:
        """Write it."""
        Path(self.file).write_text(json.dumps(asdict(self)))

    def process(self) -> psutil.Process | None:
        """The recorded process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            same = _begun(self.pid) == self.begun
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def _begun(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    ticks = stat.rpartition(")")[2].split()[19]  # `starttime`: proc_pid_stat(5) counts it as 22
    return f"{BOOT.read_text().strip()} {ticks}"
