"""What drills do to Postgres itself, as its administrator would."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stack import EmbeddedStack, Stack, StackError, free_ports, until
from stack.environment import inherited
from stack.pgserver import binary, psql
from stack.ports import HOST
from stack.site import USER
from stack.unprivileged import give, unprivileged

SECONDS = 10.0
READ_ONLY = "default_transaction_read_only"


def sql(stack: Stack, *statements: str) -> str:
    """Run each statement by itself; what the last one answers. Raises StackError."""
    address = urlsplit(stack.url("postgres"))
    answer = ""
    for statement in statements:
        done = psql(statement, address.port or 0, unquote(address.password or ""), SECONDS)
        if done.returncode != 0:
            raise StackError(f"{statement}: {done.stderr}")
        answer = done.stdout.strip()
    return answer


def demote(stack: Stack) -> None:
    """Have Postgres take no more writes, on open connections neither, as a primary that became a replica."""
    sql(stack, f"ALTER SYSTEM SET {READ_ONLY} = on", "SELECT pg_reload_conf()")
    until(lambda: sql(stack, f"SHOW {READ_ONLY}") == "on", SECONDS, "the demotion")


def promote(stack: Stack) -> None:
    """Undo `demote`; ALTER SYSTEM is no write to a database."""
    sql(stack, f"ALTER SYSTEM RESET {READ_ONLY}", "SELECT pg_reload_conf()")
    until(lambda: sql(stack, f"SHOW {READ_ONLY}") == "off", SECONDS, "the promotion")


@contextmanager
def standby(primary: Stack, folder: Path) -> Iterator[EmbeddedStack]:
    """A second Postgres of this machine that follows the first; gone at the end."""
    address = urlsplit(primary.url("postgres"))
    password = unquote(address.password or "")
    folder.mkdir(parents=True)
    (folder / ".env").write_text(f"POSTGRES_PASSWORD='{password}'\n")
    other = EmbeddedStack(folder, free_ports(), ("postgres",))
    data = other.site.data / "postgres"
    data.mkdir(mode=0o700)
    give(data, other.site.root)
    source = f"host={HOST} port={address.port} user={USER}"
    options = ("--pgdata", str(data), "--dbname", source, "--checkpoint", "fast", "--write-recovery-conf")
    argv = unprivileged(binary("pg_basebackup"), *options)
    environment = {**inherited(), "PGPASSWORD": password}
    done = subprocess.run(argv, env=environment, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise StackError(f"pg_basebackup: {done.stderr}")
    try:
        other.up()
        yield other
    finally:
        other.discard()


def switch_over(old: Stack, new: Stack) -> None:
    """Demote the old primary, and have its standby take over when it has all that was written."""
    demote(old)
    written = sql(old, "SELECT pg_current_wal_flush_lsn()")
    until(lambda: sql(new, f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == "t", SECONDS, "the standby's replay")
    if sql(new, f"SELECT pg_promote(true, {SECONDS:.0f})") != "t":
        raise StackError("the standby was not promoted")
