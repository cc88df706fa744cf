"""The compose project of one stack: its name, settings and commands."""

import hashlib
import json
import logging
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from stack import wheels
from stack.docker import Container, containers, docker, projects
from stack.dotenv import read_settings
from stack.errors import ImagesError, StackError
from stack.foreground import foreground
from stack.interface import NEXT, NOTHING, SERVICES, Part
from stack.models import VARIABLE, Models, is_default
from stack.ports import VARIABLES
from stack.site import DEFAULT_ROOT, REPOSITORY, Site, let_all_read, quoted, write_private

log = logging.getLogger(__name__)

NAME = "warmstart"
FILE = REPOSITORY / "compose.yaml"
PROXY = "toxic"  # a service of compose.yaml that runs only when it is asked for
# Options of a command that is about all services.
WHOLE = ("--profile", "faults", "--profile", "next", "--profile", "chat", "--profile", "observe")
# What compose.yaml mounts: programs and configurations, which users of containers read.
MOUNTED = ("stack/haproxy.cfg", "stack/toxic", "stack/chat", "observability")
SHARED = "/run/warmstart"  # the path, in a service, of the folder that it shares with the stack
STEP = re.compile(r"(#\d+) (\[.+)")
DONE = re.compile(r"(#\d+) DONE (\d+)\.\d+s")


class Project:
    """Commands of `docker compose` on one project.

    Args:
        site: its ports and passwords go into compose.yaml's variables, its folder gives the project its name.
        settings: for the services, above what compose.yaml says.
    """

    def __init__(self, site: Site, settings: Mapping[str, str]) -> None:
        self.name = project_name(site.root)
        self.shared = site.shared
        self._override = site.run / "compose.override.json"
        self._log = site.logs / "build.log"
        self._settings = settings
        ports = {VARIABLES[part]: str(port) for part, port in site.ports.items()}
        passwords = {"POSTGRES_PASSWORD": site.secrets.postgres, "REDIS_PASSWORD": site.secrets.redis}
        passwords |= {f"{name}_IN_URL": quoted(password) for name, password in passwords.items()}
        self.models = Models(site, "compose")
        self._own = {**ports, **passwords}

    @property
    def network(self) -> str:
        """The name of the network that all containers are on."""
        return f"{self.name}_default"

    def run(self, *arguments: str, settings: Mapping[Part, Mapping[str, str]] | None = None) -> str:
        """What a compose command prints; `settings` of a part are for this command only. Raises StackError."""
        return docker(*self._command(settings or {}), *arguments, environment=self._environment())

    def watch(self, *arguments: str) -> int:
        """Run a compose command on this process's terminal; returns its exit code."""
        return foreground(("docker", *self._command({}), *arguments), self._environment())

    def named_model(self) -> str:
        """EMBEDDING_MODEL as the stack was made, or the shell, or else .env has it; empty if none does."""
        return self._settings.get(VARIABLE, _named().get(VARIABLE, ""))

    def model(self) -> str:
        """What the worker's image is for: the named model, or else the one served last; empty if it is the default."""
        return _named().get(VARIABLE) or self.models.served

    def _in_every_image(self, model: str) -> bool:
        return is_default(model) or self._settings.get("ENGINE", os.environ.get("ENGINE")) == "fake"

    def require_image(self, model: str) -> None:
        """Raise StackError when the user names an image for the worker that hasn't this model."""
        if (target := _named().get("WORKER_TARGET")) not in (None, "", "model") and not self._in_every_image(model):
            raise StackError(f"the worker keeps its model: WORKER_TARGET={target} has no {model}: leave it unset first")

    def containers(self, service: str | None = None) -> list[Container]:
        """The containers of a service, or of all."""
        return [each for each in containers(self.name) if service in (None, each.service)]

    def runs(self) -> bool:
        """Whether any container of this clone runs."""
        return any(each.runs and each.folder == str(REPOSITORY) for each in self.containers())

    def refuse_another_clone(self) -> None:
        """Raise StackError when another clone runs this project, or this clone nothing but another project."""
        for folder in {each.folder for each in self.containers() if each.runs} - {str(REPOSITORY)}:
            raise StackError(f"project {self.name} runs from {folder}: stop it there, or set COMPOSE_PROJECT_NAME here")
        found = projects((FILE, self._override))
        if found and self.name not in found:  # of several names each must be able to end its own
            name = min(found)
            raise StackError(
                f"this stack's containers are of project {name}, not {self.name}: "
                f"COMPOSE_PROJECT_NAME={name} make down first, or keep that name"
            )

    def let_containers_read(self) -> None:
        """Make readable what compose.yaml mounts, also in a clone with a umask of 077."""
        for name in MOUNTED:
            let_all_read(REPOSITORY / name)

    def make_images(self, services: Iterable[str]) -> None:
        """Build and pull the images of `services`; log a line for each step of a second or more. Raises ImagesError."""
        chosen = tuple(services)
        environment = self._environment()
        torch = "worker" in chosen and environment.get("WORKER_TARGET") == "torch"
        if torch and not os.environ.get("WHEELS_IMAGE") and (found := wheels.image()):
            environment["WHEELS_IMAGE"] = found
        # Always for the same project: compose writes its name into the image, which would otherwise differ each time.
        command = ("docker", *self._command({}), "--project-name", NAME, "--progress", "plain", "build", *chosen)
        log.info("%-9s building, log in %s", "images", self._log)
        steps: dict[str, str] = {}
        with self._log.open("w") as file:
            for line in _lines(command, environment):
                file.write(line)
                if step := STEP.match(line):
                    steps[step[1]] = step[2][:100]
                elif (done := DONE.match(line)) and done[2] != "0" and done[1] in steps:
                    log.info("%-9s %s: %s s", "images", steps[done[1]], done[2])
        try:
            self.run("pull", "--policy", "missing", "--ignore-buildable", *chosen)
        except StackError as error:
            raise ImagesError(str(error)) from error

    def _environment(self) -> dict[str, str]:
        """The variables of compose.yaml: the images' targets by the models, unless the user names them."""
        found, named = {**os.environ, **self._own}, _named()
        if model := self.model():
            found[VARIABLE] = model
        if target := named.get("WORKER_TARGET") or ("" if is_default(model) else "model"):
            found["WORKER_TARGET"] = target
        if following := self.models.next:
            found[f"NEXT_{VARIABLE}"] = following
            engines = "torch" if named.get("WORKER_TARGET") == "torch" else "serving"  # torch: ENGINE may need it
            usual = engines if self._in_every_image(following) else "model"
            found["NEXT_WORKER_TARGET"] = named.get("NEXT_WORKER_TARGET") or usual
        return found

    def _command(self, settings: Mapping[Part, Mapping[str, str]]) -> tuple[str, ...]:
        ours = (*SERVICES, NEXT)
        services: dict[str, object] = {name: self._override_of(name, settings.get(name, NOTHING)) for name in ours}
        services[PROXY] = {"volumes": [self._shared_volume]}
        text = json.dumps({"services": services}).replace("$", "$$")
        write_private(self._override, text)
        files = ("--file", str(FILE), "--file", str(self._override))
        return ("compose", "--project-name", self.name, "--project-directory", str(REPOSITORY), *files)

    def _override_of(self, name: Part, settings: Mapping[str, str]) -> dict[str, object]:
        following = {VARIABLE: self.models.next} if name == NEXT else NOTHING
        environment = {**self._settings, **following, **settings}
        if environment.get("FAULTS_ENABLED", os.environ.get("FAULTS_ENABLED")) != "1":
            return {"environment": environment}
        faults = {"FAULTS_FILE": f"{SHARED}/{name}.faults"}
        return {"environment": {**faults, **environment}, "volumes": [self._shared_volume]}

    @property
    def _shared_volume(self) -> str:
        return f"{self.shared}:{SHARED}:ro,z"


def _named() -> dict[str, str]:
    """What the user says of the workers' images, in the shell or else in .env."""
    return read_settings(REPOSITORY / ".env", (VARIABLE, "WORKER_TARGET", "NEXT_WORKER_TARGET")) | os.environ


def project_name(root: Path) -> str:
    """`warmstart` or what COMPOSE_PROJECT_NAME says for `make up`; a stack in another folder has its own."""
    if root == DEFAULT_ROOT:
        return os.environ.get("COMPOSE_PROJECT_NAME") or NAME
    return f"{NAME}-{hashlib.sha256(bytes(root)).hexdigest()[:12]}"


def _lines(command: tuple[str, ...], environment: Mapping[str, str]) -> Iterable[str]:
    """What a command prints, as it comes. Raises ImagesError with the end of it when it fails."""
    tail: list[str] = []
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            tail = [*tail[-19:], line]
            yield line
    if process.returncode != 0:
        raise ImagesError(f"docker compose build failed:\n{''.join(tail).strip()}")
