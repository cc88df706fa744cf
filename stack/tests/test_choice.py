"""Compose or embedded: what is chosen, recorded and said. The docker command is a stand-in, everything else is real."""

import json
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack import PARTS, ComposeStack, EmbeddedStack, ImagesError, StackError, free_ports
from stack.choice import RECORD, bring_up, current
from stack.cli import main
from stack.docker import silence
from stack.kubernetes import KubernetesStack
from stack.ports import HOST, VARIABLES
from stack.project import FILE
from stack.tests.cluster import Cluster

ENGINE = {"version*": "echo 28.0.0", "compose version": "echo v2.40.0"}
NO_ENGINE = {"version*": "echo Cannot connect to the Docker daemon >&2; exit 1"}
NO_BUILD = {**ENGINE, "*build*": "echo '#1 DONE 3.0s'; echo 'pull access denied for python'; exit 17"}
ELSEWHERE = """{"Id": "c1", "Name": "/warmstart-api-1", "RestartCount": 0, "HostConfig": {"Init": true},
 "State": {"Status": "running", "ExitCode": 0, "Pid": 1}, "NetworkSettings": {"Ports": {}, "Networks": {}},
 "Config": {"Labels": {
 "com.docker.compose.service": "api", "com.docker.compose.container-number": "1",
 "com.docker.compose.project.working_dir": "/another/clone"}}}"""

StandIn = Callable[[dict[str, str]], None]


def use_own_settings(patch: pytest.MonkeyPatch) -> None:
    """The fake engine on free ports, for whatever is brought up; no choice of the user's own."""
    for part, port in free_ports().items():
        patch.setenv(VARIABLES[part], str(port))
    patch.setenv("ENGINE", "fake")
    patch.setenv("DRAIN_SECONDS", "0")
    patch.delenv("STACK", raising=False)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each test's own."""
    use_own_settings(monkeypatch)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Puts a docker command before all others: shell patterns of its arguments, and what it does then."""
    folder = tmp_path_factory.mktemp("bin")

    def put(answers: dict[str, str]) -> None:
        cases = "\n".join(f"  {pattern.replace(' ', '?')}) {what} ;;" for pattern, what in answers.items())
        script = folder / "docker"
        script.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}\nesac\n')
        script.chmod(0o755)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield put


@pytest.fixture(scope="module")
def fallen_back(tmp_path_factory: pytest.TempPathFactory, stand_in: StandIn) -> Iterator[tuple[Path, str]]:
    """The folder of a stack brought up where an engine answers but can't build, and what was said meanwhile."""
    root = tmp_path_factory.mktemp("fallen-back")
    stand_in(NO_BUILD)
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("stack")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with pytest.MonkeyPatch.context() as patch:
            use_own_settings(patch)
            bring_up(root)
        yield root, "\n".join(said)
    finally:
        logger.removeHandler(handler)
        EmbeddedStack(root).down()


def test_a_failed_build_is_said_and_the_embedded_stack_started(fallen_back: tuple[Path, str]) -> None:
    """The automatic choice of compose falls back, naming the cause, and records what really runs."""
    root, said = fallen_back
    assert "pull access denied for python" in said
    assert said.index("compose (a Docker engine answers)") < said.index("embedded (the images of the compose stack")
    assert "documents of the compose stack, if it has any, stay there: STACK=compose make up goes back" in said
    assert (root / RECORD).read_text() == "embedded\n"
    assert all(status.ready for status in EmbeddedStack(root).status())


def test_what_runs_stays_the_choice(
    fallen_back: tuple[Path, str], stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second up, and every other command, mean the running stack, although an engine answers."""
    root, _ = fallen_back
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable)
    stand_in(ENGINE)
    before = [EmbeddedStack(root).pids(part) for part in PARTS]
    assert isinstance(bring_up(root), EmbeddedStack)
    assert isinstance(current(root), EmbeddedStack)
    assert [EmbeddedStack(root).pids(part) for part in PARTS] == before


def test_a_stack_of_an_earlier_version_runs(
    fallen_back: tuple[Path, str], stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pid files say other things: it is neither started again, nor left for compose, nor given other ports."""
    root, _ = fallen_back
    stand_in(ENGINE)
    (root / RECORD).unlink()
    files = {root / "run" / f"{part}.json": EmbeddedStack(root).pids(part) for part in PARTS}
    known = {file: file.read_text() for file in files}
    try:
        for file, [main, *_] in files.items():
            file.write_text(json.dumps({"pid": main, "created": 1.0, "port": 1}))
        with pytest.raises(StackError, match="make up chose port"):
            bring_up(root)
        for variable in VARIABLES.values():
            monkeypatch.delenv(variable)
        assert isinstance(bring_up(root), EmbeddedStack)
        assert [EmbeddedStack(root).pids(part) for part in PARTS] == list(files.values())
    finally:
        for file, text in known.items():
            file.write_text(text)


def test_a_running_stack_is_not_orphaned(
    fallen_back: tuple[Path, str], stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To force the other kind while one runs is an error that says what to do, and so is any other command."""
    root, _ = fallen_back
    stand_in(ENGINE)
    monkeypatch.setenv("STACK", "compose")
    with pytest.raises(StackError, match="the embedded stack is running: make down first"):
        bring_up(root)
    with pytest.raises(StackError, match="make up last chose embedded"):
        current(root)


def test_without_an_engine_it_is_embedded(tmp_path: Path, stand_in: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    """The reason is said: here, that the client reaches no engine. A port is taken, so that nothing is started."""
    stand_in(NO_ENGINE)
    caplog.set_level(logging.INFO)
    taken = VARIABLES["valkey"]
    with socket.create_server((HOST, int(os.environ[taken]))), pytest.raises(StackError, match=taken):
        bring_up(tmp_path)
    assert (tmp_path / RECORD).read_text() == "embedded\n"
    assert "embedded (no Docker engine answers: Cannot connect to the Docker daemon)" in caplog.text


@pytest.mark.parametrize(("answers", "error"), [(NO_ENGINE, "Cannot connect"), (NO_BUILD, "pull access denied")])
def test_forced_compose_fails_loudly(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], error: str
) -> None:
    """STACK=compose where compose can't be had is an error, and nothing else is started."""
    stand_in(answers)
    monkeypatch.setenv("STACK", "compose")
    with pytest.raises(StackError, match=error):
        bring_up(tmp_path)
    assert not any(EmbeddedStack(tmp_path).pids(part) for part in PARTS)


def test_a_port_that_compose_does_not_need_stops_no_start(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The api may have the port of workers that nobody asked for: it gets as far as the images."""
    stand_in(NO_BUILD)
    monkeypatch.setenv("API_PORT", os.environ["NEXT_WORKER_PORT"])
    with pytest.raises(ImagesError, match="pull access denied"):
        ComposeStack(tmp_path).up()


def test_what_runs_in_a_cluster_is_not_called_documents(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether there are any is not asked; where they are, `down` deletes them."""
    stand_in(NO_BUILD)
    monkeypatch.setenv("STACK", "compose")
    (tmp_path / RECORD).write_text("kubernetes\n")
    with pytest.raises(StackError, match="pull access denied"):
        bring_up(tmp_path)
    assert "what runs in the cluster goes on: STACK=kubernetes make up goes back" in caplog.text
    assert "documents" not in caplog.text


def test_forced_embedded_asks_no_engine_to_build(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STACK=embedded is taken at its word; here its ports are given away, so that it fails before it starts."""
    stand_in(NO_BUILD)
    monkeypatch.setenv("STACK", "embedded")
    monkeypatch.setenv("API_PORT", "1x")
    with pytest.raises(StackError, match="API_PORT") as caught:
        bring_up(tmp_path)
    assert not isinstance(caught.value, ImagesError)


def test_an_unknown_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the names that there are."""
    monkeypatch.setenv("STACK", "docker")
    with pytest.raises(StackError, match="STACK=docker is none of embedded, compose, kubernetes"):
        current(tmp_path)


def test_a_cluster_is_used_only_when_named(tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """STACK=kubernetes alone names no cluster: KUBE_CONTEXT has to, before anything is asked or started."""
    stand_in(NO_ENGINE)
    monkeypatch.setenv("STACK", "kubernetes")
    monkeypatch.delenv("KUBE_CONTEXT", raising=False)
    Cluster(tmp_path, monkeypatch, context="")
    with pytest.raises(StackError, match="KUBE_CONTEXT is not set"):
        bring_up(tmp_path)
    assert isinstance(current(tmp_path), KubernetesStack)


def test_a_recorded_stack_that_cannot_be_asked_is_an_error(tmp_path: Path, stand_in: StandIn) -> None:
    """Else `down` would stop nothing and say nothing."""
    stand_in(NO_ENGINE)
    (tmp_path / RECORD).write_text("compose\n")
    with pytest.raises(StackError, match="the stack is compose, but no Docker engine answers: Cannot connect"):
        current(tmp_path)


def test_containers_of_another_clone_are_left_alone(tmp_path: Path, stand_in: StandIn) -> None:
    """Two clones that share a project name would replace each other's containers."""
    stand_in({**ENGINE, "ps*": "echo c1", "inspect*": f"echo '[{ELSEWHERE.replace(chr(10), '')}]'"})
    for command in (ComposeStack(tmp_path).up, ComposeStack(tmp_path).down):
        with pytest.raises(StackError, match="runs from /another/clone"):
            command()


def test_containers_of_another_name_are_not_orphaned(tmp_path: Path, stand_in: StandIn) -> None:
    """Under a new COMPOSE_PROJECT_NAME, documents would seem gone, and `down` would stop nothing and say nothing."""
    made_from = f"*config_files={FILE},{tmp_path}/run/compose.override.json*"
    stand_in({**ENGINE, f"ps*{made_from}": "echo former; echo former"})
    stack = ComposeStack(tmp_path)
    for command in (stack.up, stack.down, stack.discard, stack.status):
        with pytest.raises(StackError, match=r"of project former, not .*: COMPOSE_PROJECT_NAME=former make down first"):
            command()


def test_of_two_names_each_ends_its_own_containers(tmp_path: Path, stand_in: StandIn) -> None:
    """Were both refused, nothing could end them. `up` goes on to the images; `down` and `discard` say what is left."""
    stack, gone = ComposeStack(tmp_path), tmp_path / "gone"
    listed = f"echo former; [ -e {gone} ] || echo {stack.project.name}"
    stand_in({f"ps*config_files={FILE}*": listed, "*--remove-orphans*": f"touch {gone}", **NO_BUILD})
    with pytest.raises(ImagesError, match="pull access denied"):
        stack.up()
    for command in (stack.down, stack.discard):
        gone.unlink(missing_ok=True)
        with pytest.raises(StackError, match=r"of project former, not .*: COMPOSE_PROJECT_NAME=former make down first"):
            command()
        assert gone.exists()
        assert (tmp_path / ".env").exists()  # the passwords of its documents


def test_no_docker_command_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the client's absence nor that of compose raises."""
    monkeypatch.setenv("PATH", "/nonexistent")
    assert silence() == "no Docker engine answers: there is no docker command"


def test_a_missing_plugin_is_named(stand_in: StandIn) -> None:
    """An engine answers, and Debian's docker.io has no compose; its last line is a hint at the manual."""
    said = "docker: 'compose' is not a docker command."
    stand_in(
        {"version*": "echo 20.10.24", "compose version": f'echo "{said}" >&2; echo "See docker --help" >&2; exit 1'}
    )
    assert silence() == f"the docker command has no compose plugin, 2.24 or newer: {said}"


def test_a_slow_compose_is_not_called_missing(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """To install the plugin again would mend nothing."""
    stand_in({"version*": "echo 28.0.0", "compose version": "exec sleep 60"})
    monkeypatch.setattr("stack.docker.ANSWER_SECONDS", 2.0)
    assert silence() == "compose doesn't answer: docker compose: no answer within 2 s"


def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only clone, a full disk or a file in the way ends a command with its reason, not with a traceback."""
    monkeypatch.setenv("STACK", "embedded")
    (tmp_path / "file").touch()
    assert main(["--root", str(tmp_path / "file" / "root"), "up"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("stack up: ")
    assert str(tmp_path / "file") in line
