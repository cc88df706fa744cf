"""PostgreSQL and Valkey, for real."""

import socket
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from urllib.parse import unquote, urlsplit

import psutil
import pytest

from stack import PARTS, EmbeddedStack, Part, PartStatus, StackError, free_ports, until
from stack.pgserver import psql
from stack.ports import HOST, VARIABLES
from stack.postgres import memory_at_hand, shared_buffers
from stack.secrets import Secrets
from stack.site import MODELS

STORES: tuple[Part, ...] = ("postgres", "valkey")


def query(stack: EmbeddedStack, sql: str) -> str:
    done = psql(sql, stack.site.ports["postgres"], stack.site.secrets.postgres, timeout=10)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def state(stack: EmbeddedStack, part: Part) -> PartStatus:
    return next(status for status in stack.status() if status.part == part)


def test_it_starts_the_chosen_parts_only(stores: EmbeddedStack) -> None:
    """A test that needs no service starts none."""
    assert [status.part for status in stores.status()] == list(PARTS)
    assert [status.part for status in stores.status() if status.ready] == list(STORES)


def test_a_second_up_changes_nothing(stores: EmbeddedStack) -> None:
    """The same processes run on."""
    before = [stores.pids(part)[0] for part in STORES]
    stores.up()
    assert [stores.pids(part)[0] for part in STORES] == before


def test_another_process_finds_the_stack(stores: EmbeddedStack) -> None:
    """What one call started, a later one sees and can stop, whatever ports it thinks of itself."""
    later = EmbeddedStack(stores.site.root, free_ports(), STORES)
    assert [later.pids(part)[0] for part in STORES] == [stores.pids(part)[0] for part in STORES]
    assert [later.url(part) for part in STORES] == [stores.url(part) for part in STORES]


def test_the_database_takes_vectors_and_sorts_by_unicode(stores: EmbeddedStack) -> None:
    """It has pgvector, and one UTF-8 locale on every machine."""
    assert query(stores, "CREATE EXTENSION vector; SELECT '[3,4]'::vector <-> '[0,0]'::vector") == "5"
    locale = "SELECT datlocale FROM pg_database WHERE datname = current_database()"
    assert query(stores, locale) == "C.UTF-8"


@pytest.mark.parametrize(
    ("memory", "expected"), [(2**29, 128), (2**30, 128), (2**32, 512), (24 * 2**30, 2048), (2**40, 2048)]
)
def test_an_eighth_of_the_memory_is_for_postgres_cache(memory: int, expected: int) -> None:
    """In MB: no less than Postgres' default, and no more than 2 GB."""
    assert shared_buffers(memory) == expected


@pytest.mark.parametrize("content", ["1073741824\n", "max\n", ""])
def test_a_containers_memory_is_its_limit(tmp_path: Path, content: str) -> None:
    """Without a limit, or where none can be read, it is the machine's."""
    limit = tmp_path / "memory.max"
    limit.write_text(content)
    whole = psutil.virtual_memory().total
    assert memory_at_hand([tmp_path / "none", limit]) == (min(whole, 2**30) if content[:1].isdigit() else whole)


def test_the_database_has_its_cache(stores: EmbeddedStack) -> None:
    """Postgres was started with the size."""
    pages = query(stores, "SELECT setting FROM pg_settings WHERE name = 'shared_buffers'")
    assert int(pages) * 8 // 1024 == shared_buffers(memory_at_hand())


def test_the_database_wants_its_password(stores: EmbeddedStack) -> None:
    """Other users of this machine can't just connect."""
    done = psql("SELECT 1", stores.site.ports["postgres"], "wrong", timeout=10)
    assert "password authentication failed" in done.stderr


def test_the_cache_wants_its_password(stores: EmbeddedStack) -> None:
    """Neither can they read the cache, or its configuration file."""
    with socket.create_connection((HOST, stores.site.ports["valkey"]), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")
    assert stat.S_IMODE((stores.site.run / "valkey.conf").stat().st_mode) == 0o600


@pytest.mark.parametrize("part", STORES)
def test_only_this_machine_is_served(stores: EmbeddedStack, part: Part) -> None:
    """They listen on 127.0.0.1 and nowhere else."""
    addresses = {
        connection.laddr.ip
        for pid in stores.pids(part)
        for connection in psutil.Process(pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {HOST}


@pytest.mark.parametrize("part", STORES)
def test_a_paused_part_hangs_and_goes_on(stores: EmbeddedStack, part: Part) -> None:
    """It accepts connections and answers nothing; resumed, it is the same process."""
    pids = stores.pids(part)
    stores.pause(part)
    try:
        with socket.create_connection((HOST, stores.site.ports[part]), timeout=5):
            paused = state(stores, part)
    finally:
        stores.resume(part)
    assert paused.running
    assert not paused.ready
    assert "no answer" in paused.detail
    until(lambda: state(stores, part).ready, 10, f"{part} after the pause")
    assert stores.pids(part)[0] == pids[0]


@pytest.mark.parametrize("order", ["pause", "resume", "signal"])
def test_an_order_to_a_part_that_does_not_run_is_refused(stores: EmbeddedStack, order: str) -> None:
    """It would reach nobody: whoever gave it learns so."""
    with pytest.raises(StackError, match="worker doesn't run"):
        getattr(stores, order)("worker", *([SIGKILL] if order == "signal" else []))


def test_a_paused_database_hangs_on_open_connections_too(stores: EmbeddedStack) -> None:
    """Its backends are frozen, not only the process that accepts connections."""
    stores.pause("postgres")
    try:
        states = {psutil.Process(pid).status() for pid in stores.pids("postgres")}
    finally:
        stores.resume("postgres")
    assert len(stores.pids("postgres")) > 3
    # One that was just ending, such as a worker of autovacuum, is a zombie until its frozen parent can look after it.
    assert states - {psutil.STATUS_ZOMBIE} == {psutil.STATUS_STOPPED}


@pytest.mark.parametrize("part", STORES)
def test_a_restart_makes_a_new_process(stores: EmbeddedStack, part: Part) -> None:
    """It returns the exit code of the old one: 0, since it was asked politely."""
    old = stores.pids(part)[0]
    assert stores.restart(part) == 0
    assert stores.pids(part)[0] != old
    assert state(stores, part).ready


def test_a_killed_part_is_started_by_the_next_up(stores: EmbeddedStack) -> None:
    """As after a reboot: the pid file is there, the process isn't."""
    stores.signal("valkey", SIGKILL)
    until(lambda: not stores.pids("valkey"), 5, "death of valkey")
    assert state(stores, "valkey").exit_code == 128 + SIGKILL
    postgres = stores.pids("postgres")[0]
    stores.up()
    assert state(stores, "valkey").ready
    assert stores.pids("postgres")[0] == postgres


def test_a_part_that_runs_is_not_started_again(stores: EmbeddedStack) -> None:
    """A drill that starts what already runs is wrong, and told so."""
    with pytest.raises(StackError, match="valkey runs already"):
        stores.start("valkey")


def test_data_survives_down_and_up(tmp_path: Path) -> None:
    """Documents stay until they are discarded, exported models even then; the second down finds nothing to do."""
    stack = EmbeddedStack(tmp_path, free_ports(), ("postgres",))
    with stack:
        query(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
    with stack:
        assert query(stack, "SELECT answer FROM kept") == "42"
    assert stack.pids("postgres") == []
    stack.down()
    model = tmp_path / MODELS / "model"
    model.mkdir(parents=True)
    stack.discard()
    assert [*tmp_path.iterdir()] == [model.parent]
    assert model.exists()


def test_a_refused_row_is_not_in_the_log(stores: EmbeddedStack) -> None:
    """Postgres logs that a constraint was violated, without the values of the row."""
    table = "CREATE TABLE refused (value text CHECK (value = ''))"
    done = psql(
        f"{table}; INSERT INTO refused SELECT repeat('ab', 3)",
        stores.site.ports["postgres"],
        stores.site.secrets.postgres,
        timeout=10,
    )
    assert "violates check constraint" in done.stderr
    log = stores.logs("postgres")
    assert "violates check constraint" in log
    assert "ababab" not in log


def test_a_taken_port_starts_nothing(tmp_path: Path) -> None:
    """Not even the parts whose ports are free."""
    ports = free_ports()
    stack = EmbeddedStack(tmp_path, ports, STORES)
    with socket.create_server((HOST, ports["valkey"])), pytest.raises(StackError, match=VARIABLES["valkey"]):
        stack.up()
    assert not any(status.running for status in stack.status())
    assert list(stack.site.data.iterdir()) == []


def test_a_part_that_fails_takes_down_what_was_started(tmp_path: Path) -> None:
    """The error shows the end of its log; nothing is left half-started."""
    stack = EmbeddedStack(tmp_path, free_ports(), ("valkey", "postgres"))
    (stack.site.data / "postgres").mkdir()
    with pytest.raises(StackError) as caught:
        stack.up()
    assert "postgres ended with exit code" in str(caught.value)
    assert str(stack.site.data / "postgres") in str(caught.value).partition("--- the end of")[2]
    assert not any(status.running for status in stack.status())


def test_a_failed_up_leaves_alone_what_ran_before(tmp_path: Path) -> None:
    """It stops only what it started itself."""
    stack = EmbeddedStack(tmp_path, free_ports(), STORES)
    (stack.site.data / "postgres").mkdir()
    stack.start("valkey")
    try:
        with pytest.raises(StackError):
            stack.up()
        assert state(stack, "valkey").ready
    finally:
        stack.down()


def test_a_lost_password_is_named(tmp_path: Path) -> None:
    """Who deletes .env but keeps the data is told at once what doesn't fit, where it is, and the way out."""
    with EmbeddedStack(tmp_path, free_ports(), ("postgres",)):
        pass
    (tmp_path / ".env").unlink()
    stack = EmbeddedStack(tmp_path, free_ports(), ("postgres",))
    began = time.monotonic()
    with pytest.raises(StackError, match=f"another password than .env has: {stack.site.data}/postgres") as caught:
        stack.up()
    assert time.monotonic() - began < stack._programs["postgres"].start_seconds  # it did not wait for all of it
    assert "remove them" in str(caught.value)
    assert not any(status.running for status in stack.status())


def test_documents_of_another_version_are_named(tmp_path: Path) -> None:
    """What another PostgreSQL made is told before it is started, with the folder and the way out."""
    stack = EmbeddedStack(tmp_path, free_ports(), ("postgres",))
    folder = stack.site.data / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("17\n")
    with pytest.raises(StackError, match=f"are PostgreSQL 17's, this is 18: {folder}.*remove them"):
        stack.up()


@pytest.mark.parametrize("password", ["p@s:s/w#r?d%41 é&=+", "'\"$`\\; x", "пароль-密码"])
def test_an_own_password_may_hold_any_character(tmp_path: Path, password: str) -> None:
    """PostgreSQL and Valkey ask for it as it is, and the addresses that the services get hold it as a URL must."""
    stack = EmbeddedStack(tmp_path, free_ports(), STORES)
    stack.site = replace(stack.site, secrets=Secrets(password, password))
    for program in stack._programs.values():
        program.site = stack.site
    with stack:
        assert query(stack, "SELECT 1") == "1"
        for part in STORES:
            assert unquote(urlsplit(stack.url(part)).password or "") == password


def test_two_ups_at_once_are_refused(tmp_path: Path) -> None:
    """The second would start everything again."""
    stack = EmbeddedStack(tmp_path, free_ports(), ())
    held = f"import fcntl; f = open({str(stack.site.run / 'lock')!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX)"
    holder = [sys.executable, "-c", f"{held}; print('held', flush=True); input()"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StackError, match="is under way"):
            stack.up()
        other.kill()
    stack.up()
