"""compose.yaml as compose reads it."""

import json
import os
import re
import runpy
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.database_url import parse as parse_database_url
from api.redis_url import parse as parse_redis_url
from api.settings import ApiSettings
from stack import ComposeStack, StackError, free_ports
from stack.docker import docker
from stack.project import WHOLE, Project
from stack.secrets import Secrets, load_secrets
from stack.site import REPOSITORY
from warmstart import ServiceSettings
from warmstart.settings.service import METRICS_FOLDER
from worker.settings import WorkerSettings

SETTINGS: dict[str, type[ServiceSettings]] = {"api": ApiSettings, "migrate": ApiSettings, "worker": WorkerSettings}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every service, with all defaults filled in."""
    stack = ComposeStack(tmp_path_factory.mktemp("file"), free_ports())
    return json.loads(stack.project.run("config", "--format", "json"))["services"]


def test_compose_misses_no_variable_but_the_passwords() -> None:
    """Plain `docker compose`, with them alone, warns of nothing."""
    passwords = {"POSTGRES_PASSWORD": "one", "REDIS_PASSWORD": "other"}
    ran = subprocess.run(
        ["docker", "compose", "--env-file", os.devnull, "--profile", "*", "config", "--quiet"],
        cwd=REPOSITORY,
        env=passwords | {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout + ran.stderr == ""


def test_every_container_is_confined(services: Any) -> None:
    """Nothing is writable, no capability is kept or regained, and memory, CPU and processes have limits."""
    assert {"front", "api", "worker", "postgres", "valkey"} <= set(services)
    for service in services.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert min(int(service["mem_limit"]), service["cpus"], service["pids_limit"]) > 0


def test_only_this_machine_is_served(services: Any) -> None:
    """No port is published to a network."""
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 6
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_restarts_are_bounded(services: Any) -> None:
    """What can't start isn't tried for ever."""
    assert {service["restart"] for service in services.values()} == {"on-failure:5", "no"}


def test_compose_is_more_patient_than_gunicorn(services: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """gunicorn's `graceful_timeout` < `stop_grace_period`, from the settings that gunicorn really reads."""
    monkeypatch.setenv(METRICS_FOLDER, str(tmp_path))
    for name in ("api", "worker"):
        conf = runpy.run_path(str(REPOSITORY / "services" / name / "gunicorn.conf.py"))
        assert conf["graceful_timeout"] < float(services[name]["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_variable_is_a_setting(services: Any, name: str) -> None:
    """A name that no settings class has would be ignored without a word."""
    assert set(services[name]["environment"]) <= {field.upper() for field in SETTINGS[name].model_fields}


@pytest.mark.parametrize("missing", ["POSTGRES_PASSWORD", "REDIS_PASSWORD"])
def test_a_missing_password_is_named(missing: str) -> None:
    """Without it nothing is started, and the message says where it comes from."""
    passwords = {"POSTGRES_PASSWORD": "x", "REDIS_PASSWORD": "x"} | {missing: ""}
    file = str(REPOSITORY / "compose.yaml")
    with pytest.raises(StackError, match=f"{missing}.*make up writes one to .env"):
        docker("compose", "--file", file, "config", environment={**os.environ, **passwords})


@pytest.mark.parametrize(
    "line",
    ["p@s:s/w?r#d%41é", "'p$s \"w' # a comment", '"two words"', "one # a comment", "  spaced  "],
)
def test_compose_reads_a_password_as_we_do(tmp_path: Path, line: str) -> None:
    """What is in .env is one value, whichever stack reads it."""
    file = tmp_path / ".env"
    file.write_text(f"POSTGRES_PASSWORD={line}\nREDIS_PASSWORD=x\n")
    compose = ("compose", "--file", str(REPOSITORY / "compose.yaml"), "--env-file", str(file))
    services = json.loads(docker(*compose, "config", "--format", "json"))["services"]
    password = load_secrets(file).postgres
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"].replace("$$", "$") == password


def test_a_password_reaches_the_services_as_a_url_needs_it(tmp_path: Path) -> None:
    """Whatever it holds, the api reads it back from its addresses."""
    password = "p@s:s/w?r#d%41 'é'\"$x"
    stack = ComposeStack(tmp_path, free_ports())
    site = replace(stack.site, secrets=Secrets(password, password))
    services = json.loads(Project(site, {}).run("config", "--format", "json"))["services"]
    environment = {name: value.replace("$$", "$") for name, value in services["api"]["environment"].items() if value}
    assert parse_database_url(environment["DATABASE_URL"]).driver["password"] == password
    assert parse_redis_url(environment["REDIS_URL"])["password"] == password


def test_what_observes_is_confined_and_starts_only_when_asked_for(tmp_path: Path) -> None:
    """Without the profile `observe` nothing is different; with it, three containers more, for this machine alone."""
    project = ComposeStack(tmp_path, free_ports()).project
    names = {"prometheus", "grafana", "jaeger"}
    assert not names & set(json.loads(project.run("config", "--format", "json"))["services"])
    found = json.loads(project.run(*WHOLE, "config", "--format", "json"))["services"]
    for service in (found[name] for name in names):
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert min(int(service["mem_limit"]), service["cpus"], service["pids_limit"]) > 0
        assert [port["host_ip"] for port in service["ports"]] == ["127.0.0.1"]
        assert re.fullmatch(r"\S+:v?\d+\.\d+\.\d+", service["image"]), "a version that stays"


def test_the_proxy_is_confined_and_starts_only_when_asked_for(tmp_path: Path) -> None:
    """Without its profile there is none; with it, it is as confined as the others, and published nowhere."""
    project = ComposeStack(tmp_path, free_ports()).project
    assert "toxic" not in json.loads(project.run("config", "--format", "json"))["services"]
    toxic = json.loads(project.run(*WHOLE, "config", "--format", "json"))["services"]["toxic"]
    assert (toxic["read_only"], toxic["cap_drop"], toxic.get("ports", [])) == (True, ["ALL"], [])
    assert toxic["security_opt"] == ["no-new-privileges:true"]
    assert min(int(toxic["mem_limit"]), toxic["cpus"], toxic["pids_limit"]) > 0


def test_the_chat_server_is_confined_and_starts_only_when_asked_for(tmp_path: Path) -> None:
    """Without its profile there is none; with it, it is as confined as the others, and published here alone."""
    project = ComposeStack(tmp_path, free_ports()).project
    assert "chat" not in json.loads(project.run("config", "--format", "json"))["services"]
    chat = json.loads(project.run(*WHOLE, "config", "--format", "json"))["services"]["chat"]
    assert (chat["read_only"], chat["cap_drop"]) == (True, ["ALL"])
    assert chat["security_opt"] == ["no-new-privileges:true"]
    assert min(int(chat["mem_limit"]), chat["cpus"], chat["pids_limit"]) > 0
    assert [port["host_ip"] for port in chat["ports"]] == ["127.0.0.1"]
