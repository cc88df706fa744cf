"""The settings in a stack's .env: they count where the shell says nothing."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import StackError, free_ports
from stack.choice import bring_up, current
from stack.ports import HOST

NAMES = (
    "WORKER_PORT",
    "API_KEYS",
    "FLAGS",
    "LOG_LEVEL",
    "QUOTA",
    "CHAT",
    "CHAT_URL",
    "FAULTS_ENABLED",
    "POSTGRES_PASSWORD",
    "STACK",
    "EMBEDDING_MODEL",
    "WORKER_TARGET",
)


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """One that sets none of these variables, and has its own back after the test."""
    with monkeypatch.context() as patch:
        for name in NAMES:
            patch.setenv(name, "")  # so that it is put back
            patch.delenv(name)
        yield patch


def test_the_shell_wins(tmp_path: Path, shell: pytest.MonkeyPatch) -> None:
    """A port is as .env has it, unless the shell names another."""
    (tmp_path / ".env").write_text("WORKER_PORT=9001\n")
    assert current(tmp_path).url("worker").endswith(":9001")
    shell.setenv("WORKER_PORT", "9002")
    assert current(tmp_path).url("worker").endswith(":9002")


def test_what_excludes_each_other_does_so_there_too(tmp_path: Path) -> None:
    """CHAT=demo beside a CHAT_URL in .env is refused as beside one of the shell."""
    (tmp_path / ".env").write_text("CHAT=demo\nCHAT_URL=http://localhost:11434/v1\n")
    with pytest.raises(StackError, match="leave one of them unset"):
        current(tmp_path)


def test_faults_are_enabled_there_too(tmp_path: Path) -> None:
    """FAULTS_ENABLED=1 in .env leads the api through the proxy."""
    (tmp_path / ".env").write_text("FAULTS_ENABLED=1\n")
    assert current(tmp_path).detoured


def test_the_kind_may_stand_there(tmp_path: Path) -> None:
    """STACK in .env counts."""
    (tmp_path / ".env").write_text("STACK=nothing\n")
    with pytest.raises(StackError, match="STACK=nothing is none of"):
        current(tmp_path)


def test_passwords_are_not_passed_on(tmp_path: Path) -> None:
    """The environment, which every program inherits, gets no password of the stores."""
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=word\nSTACK=embedded\n")
    current(tmp_path)
    assert (os.environ["STACK"], "POSTGRES_PASSWORD" in os.environ) == ("embedded", False)


@pytest.mark.parametrize(
    "line",
    ["FLAGS=${HOME}/x", 'FLAGS={"a": 1}', "FLAGS=a\\b", 'FLAGS="two\nQUOTA=$lines"', 'FLAGS="one', "FLAGS=\udcff"],
)
def test_what_only_compose_reads_stops_no_command(tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is left out with one warning that names it; all other lines count."""
    text = f"{line}\nmy.name=a$b\nPOSTGRES_PASSWORD=word\nWORKER_PORT=9001\n"
    (tmp_path / ".env").write_text(text, errors="surrogateescape")
    stack = current(tmp_path)
    assert stack.url("worker").endswith(":9001")
    assert ":word@" in stack.url("postgres")
    assert not {"FLAGS", "QUOTA"} & os.environ.keys()
    current(tmp_path)
    [said] = caplog.messages
    assert f"{tmp_path}/.env: FLAGS holds a character" in said


def test_a_list_of_keys_may_stand_there(tmp_path: Path) -> None:
    """A value between quotes may have several lines, of which none is another variable."""
    keys = "# mine\nmobile sha256:1234=\nLOG_LEVEL=5 sha256:5678 600/minute\n"
    (tmp_path / ".env").write_text(f"export API_KEYS='{keys}'  # both\nWORKER_PORT=9001\n")
    assert current(tmp_path).url("worker").endswith(":9001")
    assert (os.environ["API_KEYS"], "LOG_LEVEL" in os.environ) == (keys, False)


@pytest.mark.parametrize("name", ["API_KEYS", "API_KEYS_FILE", "operator_keys"])
def test_keys_that_only_compose_reads_stop_the_embedded_up(
    name: str, tmp_path: Path, shell: pytest.MonkeyPatch
) -> None:
    """Its api would serve everybody. The shell's own keys count instead."""
    (tmp_path / ".env").write_text(f"STACK=embedded\n{name}=${{HOME}}/keys\n")
    with pytest.raises(StackError, match=f"{name}='…'"):
        bring_up(tmp_path)
    shell.setenv(name, "the-key")
    shell.setenv("WORKER_PORT", "1x")
    with pytest.raises(StackError, match="WORKER_PORT"):
        bring_up(tmp_path)


@pytest.mark.parametrize("kind", ["embedded", "compose"])
def test_a_model_that_only_compose_reads_stops_up(tmp_path: Path, shell: pytest.MonkeyPatch, kind: str) -> None:
    """Another would serve, and find none of the documents. The shell's own model counts instead."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\n")  # an engine that has nothing
    docker.chmod(0o755)
    shell.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    shell.setattr("stack.project.REPOSITORY", tmp_path)
    (tmp_path / ".env").write_text(f"STACK={kind}\nEMBEDDING_MODEL=$HOME/models/x\nWORKER_TARGET=$TARGET\n")
    port = free_ports()["worker"]
    shell.setenv("WORKER_PORT", str(port))
    with socket.create_server((HOST, port)):
        with pytest.raises(StackError, match="EMBEDDING_MODEL='…'"):
            bring_up(tmp_path)
        shell.setenv("EMBEDDING_MODEL", "organisation/other")
        with pytest.raises(StackError, match=f"port {port} for worker is taken"):
            bring_up(tmp_path)
