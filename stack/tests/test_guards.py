"""A service that was started with keys isn't started again without them."""

import json
import os
from pathlib import Path

import pytest
import yaml

from stack import ComposeStack, EmbeddedStack, StackError, free_ports, until
from stack.guards import NAMES, Guards
from stack.http import ask
from stack.interface import SERVICES, Part
from stack.site import REPOSITORY


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that protects nothing."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A start without a setting that `up` had is refused, by its name; empty ones protect nothing."""
    guards = Guards(tmp_path / "guards.json")
    guards.require({})
    guards.note({"API_KEYS_FILE": "/run/keys", "quota": "9/minute", "OPERATOR_KEYS": "", "LOG_LEVEL": "info"}, ["api"])
    guards.require({"API_KEYS": "key", "QUOTA": "1/minute"})
    with pytest.raises(StackError, match="started with QUOTA, which"):
        guards.require({"API_KEYS": "key", "QUOTA": ""})
    with pytest.raises(StackError, match="API_KEYS, QUOTA, which this shell lacks: set them in"):
        guards.require({})
    guards.forget()
    guards.require({})


def test_values_are_not_written_down(tmp_path: Path) -> None:
    """The file has names alone."""
    Guards(tmp_path / "guards.json").note({"API_KEYS": "key"}, ["api"])
    assert json.loads((tmp_path / "guards.json").read_text()) == {"api": ["API_KEYS"]}


def test_what_the_former_version_noted_counts(tmp_path: Path) -> None:
    """A stack that runs on while the clone is updated has one list, of both services."""
    (tmp_path / "guards.json").write_text('["API_KEYS"]')
    for part in SERVICES:
        with pytest.raises(StackError, match="started with API_KEYS"):
            Guards(tmp_path / "guards.json").require({}, part)


def test_each_service_has_its_own(tmp_path: Path) -> None:
    """A service started later, alone, must have again what it was started with, and the other one what it has."""
    guards = Guards(tmp_path / "guards.json")
    guards.note({}, ["worker", "api"])
    guards.note({"API_KEYS": "key"}, ["api"])
    guards.require({}, "worker")
    guards.note({"WORKER_SECRET": "secret"}, ["worker"])
    refused: list[tuple[dict[str, str], Part | None]] = [
        ({}, "api"),
        ({"API_KEYS": "key"}, "worker"),
        ({"API_KEYS": "key"}, None),
    ]
    for given, part in refused:
        with pytest.raises(StackError, match="which this shell lacks"):
            guards.require(given, part)
    guards.require({"API_KEYS": "key"}, "api")


def test_an_api_keeps_its_keys(tmp_path: Path) -> None:
    """A shell without them neither restarts the api, which serves on, nor starts it, by `start` or `up`."""
    ports, settings = free_ports(), {"ENGINE": "fake", "DRAIN_SECONDS": "0"}
    guarded = EmbeddedStack(tmp_path, ports, environment={**settings, "API_KEYS": "the-key"})
    other = EmbeddedStack(tmp_path, ports, environment=settings)
    refusal = "started with API_KEYS"
    with guarded:
        with pytest.raises(StackError, match=refusal):
            other.restart("api")
        assert ask(f"{other.url('api')}/v1/models").status == 401
        more = {"QUOTA": "9/minute", "API_KEYS": "another-key"}
        guarded.stop("worker")
        EmbeddedStack(tmp_path, ports, environment={**settings, **more}).up()
        guarded.restart("api")  # `up` started the worker alone, so the api has no quota to lose
        other.stop("api")
        for start in (other.up, lambda: other.start("api")):
            with pytest.raises(StackError, match=refusal):
                start()
        EmbeddedStack(tmp_path, ports, environment={**settings, **more}).up()
        with pytest.raises(StackError, match=refusal):
            other.restart("api")
        other.restart("api", environment=more)
        until(lambda: ask(f"{other.url('api')}/v1/models").status == 401, 10, "an api with keys")
    with other:
        assert ask(f"{other.url('api')}/v1/models").status == 200


def test_a_container_gets_no_file_of_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """compose.yaml passes API_KEYS on, by this name alone; what a start itself names goes on in any way."""
    docker = tmp_path / "docker"  # an engine without containers
    docker.write_text("#!/bin/sh\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    stack = ComposeStack(tmp_path / "stack", free_ports())
    stack.site.guards.note({"API_KEYS": "key"}, ["api"])
    monkeypatch.setenv("API_KEYS_FILE", "/run/keys")
    monkeypatch.setenv("api_keys", "key")
    with pytest.raises(StackError, match="started with API_KEYS,"):
        stack.up()
    for act in (stack.restart, stack.start, stack.roll):
        with pytest.raises(StackError, match="started with API_KEYS,"):
            act("api")


def test_a_container_gets_every_guard_of_the_shell() -> None:
    """Under its own name from the shell or .env, and no file of one."""
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
    api = services["api"]["environment"]
    assert {name for name in api if name.removesuffix("_FILE") in NAMES} == NAMES
    assert {api[name] for name in NAMES} == {None}
