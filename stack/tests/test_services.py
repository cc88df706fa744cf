"""The whole stack, with the fake engine: nothing here depends on a model."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGINT, Signals

import pytest

from stack import PARTS, EmbeddedStack, Part, StackError, free_ports, services, until
from stack.cli import ALL_READY, NOTHING_RUNS, SOME_NOT_READY
from stack.daemon import Command
from stack.health import describe
from stack.http import ask
from stack.ports import DEFAULTS, VARIABLES
from stack.secrets import Secrets
from stack.services import Service, service_environment
from stack.site import DEFAULT_ROOT, REPOSITORY, Site
from stack.tests.server import reply, serving

SERVICES: tuple[Part, ...] = ("worker", "api")
FAKE = {"ENGINE": "fake", "DRAIN_SECONDS": "0"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(tmp_path_factory.mktemp("whole"), free_ports(), environment=FAKE) as stack:
        yield stack


def run_cli(stack: EmbeddedStack, *arguments: str, ports: Mapping[Part, int] | None = None) -> subprocess.Popen[str]:
    """By default with the variables of the stack's ports."""
    chosen = {VARIABLES[part]: str(port) for part, port in (stack.site.ports if ports is None else ports).items()}
    return subprocess.Popen(
        [sys.executable, "-m", "stack", "--root", str(stack.site.root), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "STACK": "embedded", **chosen, **FAKE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def cli(stack: EmbeddedStack, *arguments: str, ports: Mapping[Part, int] | None = None) -> tuple[int, str]:
    with run_cli(stack, *arguments, ports=ports) as process:
        output, _ = process.communicate(timeout=120)
    return process.returncode, output


def test_up_returns_when_both_services_are_ready(whole: EmbeddedStack) -> None:
    """After it, the first request of a client is served."""
    assert [ask(f"{whole.url(part)}/readyz", timeout=10).status for part in SERVICES] == [200, 200]
    assert all(status.ready for status in whole.status())


def test_the_api_finds_everything_it_needs(whole: EmbeddedStack) -> None:
    """It was given the addresses and passwords of the others, and a migrated database."""
    answer = ask(f"{whole.url('api')}/readyz?verbose", timeout=10)
    assert answer.status == 200
    checks = [line.split()[0] for line in answer.body.decode().splitlines() if line.startswith("[")]
    assert sorted(checks) == ["[+]lifecycle", "[+]postgres", "[+]redis", "[+]replacement", "[+]worker"]


def test_a_second_up_keeps_every_process(whole: EmbeddedStack) -> None:
    """What is up and ready is left alone."""
    before = [whole.pids(part) for part in PARTS]
    code, output = cli(whole, "up")
    assert code == 0, output
    assert whole.url("api") in output
    assert [whole.pids(part) for part in PARTS] == before


@pytest.mark.parametrize("part", SERVICES)
def test_a_restart_is_graceful_and_takes_settings(whole: EmbeddedStack, part: Part) -> None:
    """The old master exits 0; the new one runs with the settings given for it, here two processes."""
    assert whole.restart(part, environment={"WEB_CONCURRENCY": "2"}) == 0
    assert len(whole.pids(part)) == 3
    assert whole.restart(part) == 0
    assert len(whole.pids(part)) == 2


def test_a_paused_service_hangs_and_goes_on(whole: EmbeddedStack) -> None:
    """Master and processes are frozen: a client gets a connection and no answer."""
    whole.pause("worker")
    try:
        with pytest.raises(TimeoutError):
            ask(f"{whole.url('worker')}/livez")
    finally:
        whole.resume("worker")
    assert ask(f"{whole.url('worker')}/livez", timeout=10).status == 200


def test_the_command_line_reaches_each_part(whole: EmbeddedStack) -> None:
    """A person can pause, resume, signal, read and address what a drill can."""
    assert cli(whole, "status")[0] == ALL_READY
    assert cli(whole, "pause", "api")[0] == 0
    code, output = cli(whole, "status")
    assert code == SOME_NOT_READY
    assert "no answer" in output
    assert cli(whole, "resume", "api")[0] == 0
    assert cli(whole, "signal", "api", "WINCH")[0] == 0
    assert cli(whole, "signal", "api", "nonsense")[0] == 2
    assert "Listening at" in cli(whole, "logs", "api")[1]
    assert all(whole.url(part) in cli(whole, "urls")[1] for part in PARTS)


def test_the_command_line_changes_a_service_as_a_drill_does(whole: EmbeddedStack) -> None:
    """Settings for one process, the death of one that serves, more replicas, a rolling restart, and a cut."""
    assert cli(whole, "restart", "worker", "WEB_CONCURRENCY=2")[0] == 0
    master, *before = whole.pids("worker")
    assert len(before) == 2
    assert cli(whole, "signal", "worker", "KILL", "--process")[0] == 0
    until(lambda: whole.pids("worker")[0] == master and set(whole.pids("worker")[1:]) - set(before), 20, "another one")
    until(lambda: whole.status()[PARTS.index("worker")].ready, 20, "readiness")
    code, output = cli(whole, "scale", "worker", "2")
    assert code == 0
    assert len(re.findall("^http://", output, re.MULTILINE)) == 2
    assert cli(whole, "scale", "worker", "1")[0] == 0
    assert cli(whole, "roll", "worker")[0] == 0
    assert cli(whole, "cut", "worker")[0] == 0
    with pytest.raises(ConnectionRefusedError):
        ask(f"{whole.url('worker')}/livez")
    assert cli(whole, "mend", "worker")[0] == 0
    assert cli(whole, "mend", "worker") == (0, "")
    assert cli(whole, "restart", "worker", "nonsense")[0] == 2
    assert len(whole.pids("worker")) == 2


def test_a_part_starts_again_where_it_was(whole: EmbeddedStack) -> None:
    """A shell without the variables of the first start finds each part, and starts it again, on its own port."""
    for part in ("worker", "valkey"):
        assert cli(whole, "stop", part, ports={})[0] == 0
        assert cli(whole, "start", part, ports={})[0] == 0
    assert cli(whole, "up", ports={})[0] == ALL_READY
    assert ask(f"{whole.url('worker')}/readyz", timeout=10).status == 200


def test_another_port_is_refused_while_the_stack_runs(whole: EmbeddedStack) -> None:
    """`up` with another port would start a part where the others don't look for it; it names the way out."""
    taken, others = whole.site.ports["worker"], free_ports()
    code, output = cli(whole, "up", ports={"worker": others["worker"]})
    assert code == 1
    assert f"make up chose port {taken} for worker, not {others['worker']}: make down first" in output


def test_another_program_s_answer_is_not_the_service_s(tmp_path: Path) -> None:
    """A program that took the port answers 200, and the service, which waits for the port, isn't ready for that."""
    ports = free_ports()
    service = EmbeddedStack(tmp_path, ports)._programs["api"]
    with serving(lambda handler: reply(handler, 200), port=ports["api"]):
        service.daemon.start(Command(("/bin/sleep", "60"), {}), ports["api"])
        try:
            health = service.health()
        finally:
            service.stop()
    assert (health.ready, health.detail) == (False, f"another program answers on port {ports['api']}")


def test_two_parts_with_one_port_start_nothing(tmp_path: Path) -> None:
    """The worker would answer for the api, and `up` would call both ready."""
    ports = free_ports()
    stack = EmbeddedStack(tmp_path, {**ports, "api": ports["worker"]}, environment=FAKE)
    with pytest.raises(StackError, match="WORKER_PORT and API_PORT are both"):
        stack.up()
    assert not any(status.running for status in stack.status())


def test_a_port_of_workers_that_nobody_asked_for_stops_no_start(tmp_path: Path) -> None:
    """NEXT_WORKER_PORT, or its default, counts only while a model is being replaced."""
    ports = free_ports()
    ports["valkey"] = ports["worker-next"]
    with EmbeddedStack(tmp_path, ports, parts=["valkey"]) as stack:
        assert stack.pids("valkey")
    stack._models.note(next="another")
    with pytest.raises(StackError, match="REDIS_PORT and NEXT_WORKER_PORT are both"):
        stack.up()


def test_a_service_that_cannot_start_takes_down_what_was_started(tmp_path: Path) -> None:
    """The error shows why, from the service's own log, and nothing is left half-started."""
    environment = {"ENGINE": "sentence-transformers", "EMBEDDING_MODEL": "/no/such/model"}
    stack = EmbeddedStack(tmp_path, free_ports(), environment=environment)
    with pytest.raises(StackError, match="worker ended with exit code 3") as caught:
        stack.up()
    assert "/no/such/model" in str(caught.value)
    assert not any(status.running for status in stack.status())


def test_an_interrupted_up_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while something starts stops all that was started, with exit code 1."""
    stack = EmbeddedStack(tmp_path, free_ports())
    with run_cli(stack, "up") as process:
        until(lambda: stack.pids("worker"), 30, "start of the worker", interval=0.01)
        process.send_signal(SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in output
    assert cli(stack, "status")[0] == NOTHING_RUNS


def test_a_failed_migration_is_shown(tmp_path: Path) -> None:
    """Its output says what is wrong; here no database listens."""
    stack = EmbeddedStack(tmp_path, free_ports(), environment={"MIGRATE_TIMEOUT": "0.1"})
    with pytest.raises(StackError, match=r"the migration failed \(exit code 1\)") as caught:
        stack.migrate()
    assert str(stack.site.ports["postgres"]) in str(caught.value)


def test_a_long_step_is_told_of_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A migration of many documents takes as long as it takes: who waits reads that it goes on, and its log's name."""
    (tmp_path / "long_step.py").write_text(
        "import pathlib, time\nwhile not pathlib.Path(__file__).with_name('told').exists(): time.sleep(0.01)"
    )
    told: list[str] = []

    class Telling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage().strip())
            (tmp_path / "told").touch()

    monkeypatch.setattr(services, "TOLD_SECONDS", 0.05)
    monkeypatch.setattr(services.log, "handlers", [Telling()])
    caplog.set_level(logging.INFO, services.log.name)
    services.run_step("the step", "long_step", {"PYTHONPATH": str(tmp_path)}, tmp_path / "log")
    assert told[0].startswith(f"the step ({tmp_path}/log) goes on after ")


def test_the_phase_and_what_is_missing_are_described() -> None:
    """One line of progress: what a person waits for."""
    resources = [{"name": "redis", "state": "ready"}, {"name": "model", "state": "opening"}]
    assert describe(json.dumps({"phase": "warming", "resources": resources}).encode()) == "warming (model opening)"
    assert describe(b'{"phase": "ready", "resources": []}') == "ready"
    assert describe(b"<html>").startswith("unexpected answer of /startupz: b'<html>")


def test_the_stack_s_own_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DATABASE_URL of the shell doesn't lead a service elsewhere; other settings of the shell count."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    found = service_environment({"DATABASE_URL": "ours"})
    assert (found["DATABASE_URL"], found["LOG_LEVEL"], found["HF_HUB_OFFLINE"]) == ("ours", "debug", "1")
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_signals_go_to_the_master(whole: EmbeddedStack) -> None:
    """TTIN, one more process, is an order that only gunicorn's master understands."""
    before = len(whole.pids("worker"))
    whole.signal("worker", Signals.SIGTTIN)
    until(lambda: len(whole.pids("worker")) == before + 1, 10, "one more process")
    whole.signal("worker", Signals.SIGTTOU)
    until(lambda: len(whole.pids("worker")) == before, 30, "one process less")


def test_no_proxy_is_believed_unless_the_caller_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """All clients of the stack come from 127.0.0.1, the services' default, and could name other ones."""
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert service_environment({})["FORWARDED_ALLOW_IPS"] == "0.0.0.0/32"
    assert service_environment({"FORWARDED_ALLOW_IPS": "10.0.0.1"})["FORWARDED_ALLOW_IPS"] == "10.0.0.1"
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.2")
    assert service_environment({})["FORWARDED_ALLOW_IPS"] == "10.0.0.2"


def test_the_api_of_make_up_alone_has_the_reports(tmp_path: Path) -> None:
    """Its page shows those of this repository; another stack's api, and a worker, know of none."""

    def folder(part: Part, root: Path) -> str | None:
        return Service(part, Site(root, DEFAULTS, Secrets("", ""))).command({}).environment.get("REPORTS_FOLDER")

    assert folder("api", DEFAULT_ROOT) == str(REPOSITORY / "reports")
    assert (folder("worker", DEFAULT_ROOT), folder("api", tmp_path)) == (None, None)
