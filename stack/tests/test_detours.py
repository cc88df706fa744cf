"""The proxy between the api and what it needs, on a stack that a person made with FAULTS_ENABLED=1."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack import EmbeddedStack, Part, free_ports, until
from stack.http import ask
from stack.interface import ADDRESSES
from stack.ports import VARIABLES
from stack.site import REPOSITORY

SETTINGS = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "FAULTS_ENABLED": "1", "CACHE_TIMEOUT": "0.25"}


class Shell:
    """The command line of one stack, in a shell with these settings."""

    def __init__(self, root: Path) -> None:
        self.stack = EmbeddedStack(root, free_ports())

    def run(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """Exit code, and what was said."""
        ports = {VARIABLES[part]: str(port) for part, port in self.stack.site.ports.items()}
        done = subprocess.run(
            [sys.executable, "-m", "stack", "--root", str(self.stack.site.root), *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "STACK": "embedded", **ports, **SETTINGS, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout

    def embed(self, text: str) -> int:
        """The status of an embedding."""
        body = {"model": "all-MiniLM-L6-v2", "input": text}
        return ask(f"{self.stack.url('api')}/v1/embeddings", "POST", body, timeout=10).status

    def proxies(self) -> list[psutil.Process]:
        """The processes of this stack's proxy."""
        folder = str(self.stack.site.shared)
        return [each for each in psutil.process_iter(["cmdline"]) if folder in (each.info["cmdline"] or ())]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """All parts run, with faults enabled."""
    made = Shell(tmp_path_factory.mktemp("detoured"))
    try:
        code, said = made.run("up")
        assert code == 0, said
        yield made
    finally:
        made.run("down")


def test_every_connection_of_the_api_goes_through_the_proxy(shell: Shell) -> None:
    """With FAULTS_ENABLED=1 the api was given no address but the proxy's."""
    assert all(shell.stack.has_detour(part) for part in ADDRESSES)
    straight = {shell.stack.url(part) for part in ADDRESSES}
    assert not straight & set(shell.stack.environment("api").values())


def test_a_toxic_is_added_listed_and_cleared(shell: Shell) -> None:
    """`toxic add worker down` costs the api its worker until `toxic clear`; values given again replace the old ones."""
    assert shell.embed("one") == 200
    assert shell.run("toxic", "add", "worker", "latency=1", "jitter=1")[0] == 0
    assert shell.run("toxic", "add", "worker", "latency=2", "down") == (0, "")
    said = shell.run("toxic", "list")[1].splitlines()
    assert [line.split(maxsplit=1) for line in said] == [
        ["postgres", "-"],
        ["valkey", "-"],
        ["worker", "latency latency=2 down"],
    ]
    until(lambda: shell.embed("two") == 503, 10, "a refusal")
    assert shell.run("toxic", "clear") == (0, "")
    until(lambda: shell.embed("three") == 200, 10, "an embedding")


@pytest.mark.parametrize("part", list(ADDRESSES))
def test_each_part_has_its_proxy(shell: Shell, part: Part) -> None:
    """What is down between the api and a part is missing from the api's checks, and comes back."""
    name = {"valkey": "redis"}.get(part, part)
    check = f"{shell.stack.url('api')}/readyz/{name}"
    shell.run("toxic", "add", part, "down")
    until(lambda: ask(check, timeout=5).status == 503, 15, f"{name} lost")
    shell.run("toxic", "clear", part)
    until(lambda: ask(check, timeout=5).status == 200, 15, f"{name} back")


def test_a_proxy_that_has_ended_is_told_and_started_again(shell: Shell) -> None:
    """`status` and `toxic` say that a proxy that was killed has ended; `up` starts it again where the api knows it."""
    assert shell.run("toxic", "add", "worker", "latency=1") == (0, "")
    for each in shell.proxies():
        each.kill()
    until(lambda: shell.embed("lost") == 503, 10, "a refusal")
    said = "the proxy has ended, and the api goes through it: make up starts it again"
    assert shell.run("toxic", "add", "worker", "down") == (1, f"stack toxic: nothing would happen: {said}\n")
    assert all(line.endswith(f"({said})") for line in shell.run("toxic", "list")[1].splitlines())
    code, status = shell.run("status")
    assert (code, status.splitlines()[-1]) == (4, said)
    api = shell.stack.pids("api")[0]
    code, told = shell.run("up", FAULTS_ENABLED="0")
    assert code == 0, told
    until(lambda: shell.embed("found") == 200, 10, "an embedding")
    assert shell.run("status")[0] == 0
    assert (shell.stack.pids("api")[0], len(shell.stack.toxics("worker"))) == (api, 1)
    assert shell.run("toxic", "clear") == (0, "")


def test_what_is_no_toxic_is_named(shell: Shell) -> None:
    """A word that belongs to no toxic, or a part that has none, ends the command with a sentence."""
    code, said = shell.run("toxic", "add", "worker", "lag=3")
    assert (code, said.partition(";")[0]) == (1, "stack toxic: 'lag' is no toxic")
    assert shell.run("toxic", "clear", "api")[0] == 1


def test_an_api_that_goes_straight_feels_no_toxic(shell: Shell) -> None:
    """Restarted without FAULTS_ENABLED=1 it goes straight, and toxics and switches are refused; with it, it doesn't."""
    try:
        code, said = shell.run("restart", "api", FAULTS_ENABLED="0")
        assert code == 0, said
        code, said = shell.run("toxic", "add", "worker", "down")
        assert code == 1
        assert "nothing would happen: the api doesn't reach worker through the proxy (make down, then FAULTS" in said
        code, said = shell.run("fault", "api", "unready=true")
        assert code == 1
        assert "nothing would happen: the api that runs was started without FAULTS_ENABLED=1 (make down" in said
        assert shell.stack.shared("api.faults") == ""
        code, said = shell.run("restart", "api", "FAULTS_ENABLED=1", FAULTS_ENABLED="0")
        assert code == 0, said
        assert shell.stack.has_detour("worker")
    finally:
        assert shell.run("restart", "api")[0] == 0
    assert shell.stack.has_detour("worker")


def test_a_switch_of_a_service_that_obeys_is_turned(shell: Shell) -> None:
    """`fault api unready=true` is obeyed, and without a switch all are off again."""
    probe = f"{shell.stack.url('api')}/readyz"
    assert shell.run("fault", "api", "unready=true") == (0, "")
    until(lambda: ask(probe).status == 503, 10, "unready")
    assert shell.run("fault", "api") == (0, "")
    until(lambda: ask(probe).status == 200, 10, "ready")


def test_a_wrong_switch_changes_nothing(shell: Shell) -> None:
    """A switch that no service knows is refused, and those that are on stay on."""
    assert shell.run("fault", "worker", "slow_warmup=1") == (0, "")
    code, said = shell.run("fault", "worker", "slow_calls=0.5")
    assert code == 1
    assert said.startswith("stack fault: slow_calls=0.5: ")
    assert shell.stack.shared("worker.faults") == '{"slow_warmup": 1}'


def test_only_checks_of_the_service_can_be_switched(shell: Shell) -> None:
    """The api that runs says which it has: one of those is switched, another name is refused."""
    assert shell.run("fault", "api", 'failing_checks=["redis"]') == (0, "")
    code, said = shell.run("fault", "api", 'failing_checks=["valkey"]')
    assert code == 1
    assert said.startswith("stack fault: failing_checks: valkey: no resource of api; there are ")
    assert "redis" in said
    assert shell.run("fault", "api") == (0, "")


def test_down_ends_what_was_broken(shell: Shell) -> None:
    """After `down` nothing is broken on purpose, whatever was."""
    assert shell.run("fault", "worker", "slow_warmup=1") == (0, "")
    assert shell.run("toxic", "add", "worker", "latency=1") == (0, "")
    assert shell.run("down")[0] == 0
    assert (shell.stack.shared("worker.faults"), shell.stack.toxics("worker")) == ("", ())
    assert shell.run("up")[0] == 0


def test_down_leaves_no_proxy(shell: Shell) -> None:
    """The proxy ends with the stack, and an `up` without FAULTS_ENABLED=1 starts none."""
    assert shell.proxies()
    assert shell.run("down")[0] == 0
    assert not shell.proxies()
    assert shell.run("up", FAULTS_ENABLED="0")[0] == 0
    assert not shell.proxies()
    assert not any(shell.stack.has_detour(part) for part in ADDRESSES)
