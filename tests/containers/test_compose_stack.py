"""What `stack.interface` promises, on containers; tests/e2e and the other tests here rely on the rest."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTTIN

import psutil
import pytest

from stack import ComposeStack, Part, PartStatus, StackError, free_ports, until
from stack.docker import docker
from stack.documents import FOLDER
from stack.http import ask
from stack.interface import ADDRESSES
from stack.pgserver import psql
from stack.ports import HOST
from stack.toxic.toxics import Toxic
from tests.containers.helpers import discarded

STORES: tuple[Part, ...] = ("postgres", "valkey")


@pytest.fixture(scope="module")
def stack(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """All parts; the worker is fake."""
    settings = {"ENGINE": "fake", "DRAIN_SECONDS": "0"}
    with discarded(ComposeStack(tmp_path_factory.mktemp("whole"), free_ports(), environment=settings)) as stack:
        stack.up()
        yield stack


def state(stack: ComposeStack, part: Part) -> PartStatus:
    """One part as it is now."""
    return next(status for status in stack.status() if status.part == part)


def query(stack: ComposeStack, sql: str) -> str:
    """What Postgres answers."""
    done = psql(sql, stack.site.ports["postgres"], stack.site.secrets.postgres, timeout=10)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_second_up_keeps_every_container(stack: ComposeStack) -> None:
    """What is up, and as it should be, is left alone."""
    before = [each.id for each in stack.project.containers() if each.runs]
    stack.up()
    assert [each.id for each in stack.project.containers() if each.runs] == before
    assert all(status.ready for status in stack.status())


@pytest.mark.parametrize("part", ["worker", "api"])
def test_a_restart_is_graceful_and_takes_settings(stack: ComposeStack, part: Part) -> None:
    """The old master exits 0; the new one runs with the settings given for it alone, here two processes."""
    assert stack.restart(part, environment={"WEB_CONCURRENCY": "2"}) == 0
    assert len(stack.pids(part)) == 3
    assert stack.restart(part) == 0
    assert len(stack.pids(part)) == 2


def test_what_would_lose_its_keys_is_left_alone(stack: ComposeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """No service is replaced, restarted, rolled or scaled from a shell that lacks the keys of the first `up`."""
    monkeypatch.delenv("API_KEYS", raising=False)
    before = [each.id for each in stack.project.containers() if each.runs]
    stack.site.guards.note({"API_KEYS": "the-key"}, ["api"])
    try:
        for act in (stack.up, lambda: stack.restart("api"), lambda: stack.roll("api"), lambda: stack.scale("api", 2)):
            with pytest.raises(StackError, match="started with API_KEYS"):
                act()
    finally:
        stack.site.guards.forget()
    assert [each.id for each in stack.project.containers() if each.runs] == before


def test_another_name_orphans_no_container(stack: ComposeStack) -> None:
    """A changed COMPOSE_PROJECT_NAME is refused as long as there are containers of the former one."""
    renamed = ComposeStack(stack.site.root, stack.site.ports)
    renamed.project.name = "renamed"
    for command in (renamed.up, renamed.down, renamed.status):
        with pytest.raises(StackError, match=f"are of project {stack.project.name}, not renamed"):
            command()


def test_process_ids_are_those_of_the_host(stack: ComposeStack) -> None:
    """The first is gunicorn's master: the init above it is none of the part's processes."""
    master, *workers = (psutil.Process(pid) for pid in stack.pids("worker"))
    assert master.children() == workers
    assert "gunicorn" in " ".join(master.cmdline())


def test_a_health_check_under_way_is_none_of_the_parts_processes(stack: ComposeStack) -> None:
    """The engine starts one beside the part's own, as it does any `docker exec`."""
    before = stack.pids("worker")
    worker = stack.project.containers("worker")[0].id
    docker("exec", "--detach", worker, "sleep", "15")
    until(lambda: "sleep" in docker("top", worker, "-eo", "pid,comm"), 5.0, "the check's own process")
    assert stack.pids("worker") == before


def test_a_parts_own_address_is_past_the_front_door(stack: ComposeStack) -> None:
    """It is another than the published one, and answers; a container that is stopped has none."""
    own = stack.own_url("worker")
    assert own != stack.url("worker")
    assert ask(f"{own}/livez").status == 200
    stack.stop("worker")
    try:
        with pytest.raises(StackError, match="worker has no address"):
            stack.own_url("worker")
    finally:
        stack.start("worker")


ASK = """
import json, sys, urllib.error, urllib.request
body = json.dumps({"model": "all-MiniLM-L6-v2", "input": "text"}).encode()
headers = {"Content-Type": "application/json", "X-Forwarded-For": sys.argv[2]}
try:
    answer = urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/v1/embeddings", body, headers), timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status)
"""


def test_callers_behind_the_front_door_are_told_apart(stack: ComposeStack) -> None:
    """A quota counts a container and this host apart, though both come through `front`; a forged header is no other."""
    forged = ["203.0.113.7", "203.0.113.8"]
    inside = [stack.project.containers("worker")[0].id, "python", "-c", ASK, "http://front:8000"]
    stack.restart("api", environment={"QUOTA": "1/hour"})
    try:
        ours = [ask_from_here(stack.url("api"), each) for each in forged]
        theirs = [docker("exec", *inside, each).strip() for each in forged]
    finally:
        stack.restart("api")
    assert (ours, theirs) == (["200", "429"], ["200", "429"])


def ask_from_here(url: str, forwarded: str) -> str:
    """The same request from this host."""
    return subprocess.check_output([sys.executable, "-c", ASK, url, forwarded], text=True).strip()


@pytest.mark.parametrize("part", STORES)
def test_a_paused_part_hangs_and_goes_on(stack: ComposeStack, part: Part) -> None:
    """It accepts connections and answers nothing; resumed, it is the same container."""
    stack.pause(part)
    try:
        with socket.create_connection((HOST, stack.site.ports[part]), timeout=5):
            paused = state(stack, part)
    finally:
        stack.resume(part)
    assert (paused.running, paused.ready) == (True, False)
    assert "no answer" in paused.detail
    until(lambda: state(stack, part).ready, 10, f"{part} after the pause")


def test_a_paused_service_hangs_behind_the_front_door(stack: ComposeStack) -> None:
    """The front door holds the connection as the service does."""
    stack.pause("worker")
    try:
        with pytest.raises(TimeoutError):
            ask(f"{stack.url('worker')}/livez")
    finally:
        stack.resume("worker")
    until(lambda: state(stack, "worker").ready, 10, "worker after the pause")


def test_a_front_door_that_ended_is_named(stack: ComposeStack) -> None:
    """Behind it services are healthy, and never reached: who waits learns why at once, from its log."""
    stack.project.run("stop", "front")
    try:
        with pytest.raises(StackError, match="front ended with exit code"):
            stack._wait(["api"])
    finally:
        stack.project.run("start", "front")
    until(lambda: state(stack, "api").ready, 30, "the api behind the front door")


def test_a_paused_part_can_be_stopped(stack: ComposeStack) -> None:
    """It hears the signal and ends as it would otherwise."""
    stack.pause("postgres")
    assert stack.stop("postgres") == 0
    stack.start("postgres")
    assert state(stack, "postgres").ready


def test_a_killed_part_stays_down_until_it_is_started(stack: ComposeStack) -> None:
    """The restart policy doesn't undo what was asked for."""
    stack.signal("valkey", SIGKILL)
    until(lambda: not state(stack, "valkey").running, 5, "death of valkey")
    assert state(stack, "valkey").exit_code == 128 + SIGKILL
    stack.start("valkey")
    assert state(stack, "valkey").ready


def test_what_cannot_be_done_is_said(stack: ComposeStack) -> None:
    """To start what runs, or to send what an init keeps to itself."""
    with pytest.raises(StackError, match="valkey runs already"):
        stack.start("valkey")
    with pytest.raises(StackError, match="SIGTTIN"):
        stack.signal("worker", SIGTTIN)


def test_an_api_goes_through_the_proxy_when_it_is_told_to(stack: ComposeStack) -> None:
    """Broken there, the worker is lost to the api until its connections are mended; the next start goes straight."""
    check = f"{stack.url('api')}/readyz/worker"
    assert not stack.has_detour("worker")
    stack.restart("api", environment={**stack.detour("worker")})
    try:
        assert stack.has_detour("worker")
        assert ask(check).status == 200
        stack.spoil("worker", Toxic.parse(["down"]))
        until(lambda: ask(check).status == 503, 15, "the worker lost")
        stack.spoil("worker", ())
        until(lambda: ask(check).status == 200, 15, "the worker back")
    finally:
        stack.restart("api")
    assert not stack.has_detour("worker")


def test_documents_survive_down_and_up(folder: Path) -> None:
    """They are in a volume, which only `discard` removes."""
    with discarded(ComposeStack(folder, free_ports(), STORES)) as stack:
        with stack:
            query(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
            assert query(stack, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == "1"
        assert not any(status.running for status in stack.status())
        with stack:
            assert query(stack, "SELECT answer FROM kept") == "42"
        name = stack.project.name
    assert docker("volume", "ls", "--quiet", "--filter", f"name={name}") == ""
    assert not folder.exists()


def test_another_clones_documents_are_neither_used_nor_deleted(folder: Path, tmp_path: Path) -> None:
    """Its project has the same name, and its volume outlives its containers; a clone that is gone owns nothing."""
    other = tmp_path / "other"
    other.mkdir()
    stack = ComposeStack(folder, free_ports(), ("postgres",))
    volume = f"{stack.project.name}_postgres"
    docker("volume", "create", f"--label={FOLDER}={other}", volume)
    with pytest.raises(StackError, match=f"{volume} has the documents of {other}: set COMPOSE_PROJECT_NAME"):
        stack.up()
    stack.discard()
    assert docker("volume", "ls", "--quiet", "--filter", f"name={volume}").strip() == volume
    other.rmdir()
    with discarded(ComposeStack(folder, free_ports(), ("postgres",))) as stack:
        stack.up()
    assert docker("volume", "ls", "--quiet", "--filter", f"name={volume}") == ""


def test_up_with_faults_puts_the_proxy_in(folder: Path) -> None:
    """An api of a detoured stack has no address but the proxy's; an `up` without detours stops the proxy again."""
    settings = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "FAULTS_ENABLED": "1"}
    with discarded(ComposeStack(folder, free_ports(), environment=settings)) as stack:
        stack.detoured = True
        with stack:
            assert all(stack.has_detour(part) for part in ADDRESSES)
            stack.detoured = False
            stack.up()
            assert not any(stack.has_detour(part) for part in ADDRESSES)
            assert not any(each.runs for each in stack.project.containers("toxic"))
        assert stack.project.containers() == []


def test_a_taken_port_starts_nothing(folder: Path) -> None:
    """It is named, with the variable that changes it."""
    ports = free_ports()
    with discarded(ComposeStack(folder, ports, STORES)) as stack:
        with socket.create_server((HOST, ports["valkey"])), pytest.raises(StackError, match="REDIS_PORT"):
            stack.up()
        assert stack.project.containers() == []


def test_a_part_that_fails_takes_down_what_was_started(folder: Path) -> None:
    """The error shows the end of its log."""
    environment = {"EMBEDDING_MODEL": "/no/such/model", "STARTUP_TIMEOUT": "60"}
    with discarded(ComposeStack(folder, free_ports(), ["worker"], environment)) as stack:
        with pytest.raises(StackError, match="worker ended with exit code 3") as caught:
            stack.up()
        assert "/no/such/model" in str(caught.value)
        assert not any(each.runs for each in stack.project.containers())
