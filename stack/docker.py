"""The docker command, and the containers of a compose project as the engine describes them."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from stack.errors import NoAnswerError, StackError

ANSWER_SECONDS = 10.0
PROJECT, SERVICE, NUMBER, FOLDER, FILES, ONE_OFF, VOLUME = (
    f"com.docker.compose.{name}"
    for name in (
        "project",
        "service",
        "container-number",
        "project.working_dir",
        "project.config_files",
        "oneoff",
        "volume",
    )
)


def silence() -> str:
    """Why compose can't be used here, in one line; empty when an engine answers."""
    try:
        docker("version", "--format", "{{.Server.Version}}", timeout=ANSWER_SECONDS)
    except StackError as error:
        return f"no Docker engine answers: {str(error).strip().splitlines()[-1]}"
    try:
        docker("compose", "version", timeout=ANSWER_SECONDS)
    except NoAnswerError as error:
        return f"compose doesn't answer: {error}"
    except StackError as error:
        *_, said = str(error).strip().splitlines()[:2]  # the first line of docker's; later ones advise
        return f"the docker command has no compose plugin, 2.24 or newer: {said}"
    return ""


def docker(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
    merge: bool = False,
) -> str:
    """What a docker command prints, with `merge` on standard error too.

    Raises:
        StackError: the command failed (with the end of its output), or there is none.
        NoAnswerError: it took longer than `timeout` seconds.
    """
    errors = subprocess.STDOUT if merge else subprocess.PIPE
    try:
        done = subprocess.run(
            ("docker", *arguments),
            env=environment,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    except FileNotFoundError:
        raise StackError("there is no docker command") from None
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"docker {arguments[0]}: no answer within {timeout:g} s") from None
    if done.returncode != 0:
        raise StackError(f"docker {arguments[0]} failed:\n{(done.stdout if merge else done.stderr).strip()[-3000:]}")
    return done.stdout


@dataclass(frozen=True)
class Container:
    """One container; `ports` maps those inside to those of this machine, `pid` is 0 unless it runs.

    `address` is in the project's network, empty unless it runs.
    """

    id: str
    name: str
    service: str
    number: int
    folder: str
    status: str
    exit_code: int
    restarts: int
    pid: int
    init: bool
    ports: Mapping[int, int]
    address: str
    environment: Mapping[str, str] = field(repr=False)  # secrets included

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """From one object of `docker inspect`."""
        labels, state = found["Config"]["Labels"], found["State"]
        published = (found["NetworkSettings"]["Ports"] or {}).items()
        return cls(
            id=found["Id"],
            name=found["Name"].removeprefix("/"),
            service=labels[SERVICE],
            number=int(labels[NUMBER]),
            folder=labels.get(FOLDER, ""),
            status=state["Status"],
            exit_code=state["ExitCode"],
            restarts=found["RestartCount"],
            pid=state["Pid"],
            init=bool(found["HostConfig"].get("Init")),
            ports={int(port.split("/")[0]): int(hosts[0]["HostPort"]) for port, hosts in published if hosts},
            address=next((each["IPAddress"] for each in found["NetworkSettings"]["Networks"].values()), ""),
            environment=dict(each.split("=", 1) for each in found["Config"].get("Env") or () if "=" in each),
        )

    @property
    def runs(self) -> bool:
        """Whether it has processes, or will have again by itself."""
        return self.status in {"running", "paused", "restarting"}

    @property
    def ever_ran(self) -> bool:
        """Whether its exit code means anything."""
        return self.status != "created"


def containers(project: str) -> list[Container]:
    """Those of a project's services, stopped ones included, in the order of their numbers.

    What `docker compose run` started beside a service is none of its containers.
    """
    labels = (f"{PROJECT}={project}", f"{ONE_OFF}=False")
    filters = (option for label in labels for option in ("--filter", f"label={label}"))
    ids = docker("ps", "--all", "--quiet", "--no-trunc", *filters).split()
    found = json.loads(docker("inspect", "--type", "container", *ids)) if ids else []
    return sorted(map(Container.of, found), key=lambda container: container.number)


def projects(files: Iterable[Path]) -> set[str]:
    """The names of the projects whose containers, stopped ones included, were made from exactly these files."""
    made_from = f"label={FILES}={','.join(map(str, files))}"
    return set(docker("ps", "--all", "--filter", made_from, "--format", f'{{{{.Label "{PROJECT}"}}}}').split())
