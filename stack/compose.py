"""The stack in containers: compose.yaml, run by the docker command."""

import logging
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from signal import Signals

from stack import demo_chat
from stack.chat import PORT as CHAT_PORT
from stack.descent import descendants
from stack.docker import Container, docker
from stack.documents import Documents
from stack.errors import StackError
from stack.guards import NAMES
from stack.health import check
from stack.interface import ADDRESSES, CHAT, EVERY, NEXT, NOTHING, PARTS, SERVICES, Part, PartStatus, in_order, shown
from stack.local_next import LocalNext
from stack.ports import require_distinct, require_free
from stack.project import PROXY, SHARED, WHOLE, Project
from stack.readiness import wait_ready
from stack.rolling import roll, scale
from stack.site import DEFAULT_ROOT, Site
from stack.under_way import attempt, cut_over, judge, require_cut_over

log = logging.getLogger(__name__)

READY_SECONDS = 120.0  # above STARTUP_TIMEOUT: a service that can't start ends by itself, and says why
LOOK_SECONDS = 0.3
LAST_LINES = "25"
INCOMPATIBLE = "database files are incompatible with server"  # PostgreSQL's words
NOT_PASSED_ON = {Signals.SIGSTOP, Signals.SIGTTIN, Signals.SIGTTOU}
# Run in a container: the processes of gunicorn are the grandchildren of the init.
SIGNAL_ONE = """
import os, pathlib, sys
stats = pathlib.Path("/proc").glob("[0-9]*/stat")
parents = {int(stat.parent.name): int(stat.read_text().rpartition(")")[2].split()[1]) for stat in stats}
os.kill(min(pid for pid in parents if parents.get(parents[pid]) == 1), int(sys.argv[1]))
"""
# Inside.
PORTS: Mapping[Part, int] = {
    "postgres": 5432,
    "valkey": 6379,
    "worker": 8001,
    "worker-next": 8001,
    "chat": CHAT_PORT,
    "api": 8000,
}


class ComposeStack(LocalNext):
    """Containers of one compose project. A part with several replicas is all of them.

    Args:
        root: folder of passwords, settings and build log. The one of `make up` is project `warmstart`, any other has
            a project of its own.
        ports: by part; those of the environment variables, else the defaults.
        parts: which ones `up` starts.
        environment: settings for both services.
    """

    def __init__(
        self,
        root: Path = DEFAULT_ROOT,
        ports: Mapping[Part, int] | None = None,
        parts: Iterable[Part] = PARTS,
        environment: Mapping[str, str] = NOTHING,
    ) -> None:
        self.parts = in_order(parts)
        self.site = Site.at(root, ports)
        self._environment = environment
        self.project = Project(self.site, environment)
        self._documents = Documents(self.project.name)
        self._models = self.project.models
        self._settings: Mapping[Part, Mapping[str, str]] = {}  # the variables that each part was started with

    def up(self) -> None:
        """See `Stack.up`. A part that runs already is replaced if its image or its settings changed."""
        with self.site.alone():
            before = self._require_own()
            services = self._services()
            if "worker" in services:
                self._models.require_served(self.project.named_model())
                if self._models.served and not self.project.named_model():
                    served = self._models.served
                    log.info("%-9s serves %s as the last time: EMBEDDING_MODEL would change that", "worker", served)
            self.project.let_containers_read()
            self.project.make_images(services)
            try:
                failure = attempt(self._up_next) if self._models.next else None
                self._begin(services)
            except BaseException:  # an interrupt, too, must leave nothing half-started
                self.project.run("stop", *(service for service in [*services, NEXT, PROXY] if service not in before))
                raise
            if PROXY in before and not self.detoured:
                self.project.run("stop", PROXY)
            self.site.remember()
            self.site.guards.note(self._given(), [part for part in self.parts if part in SERVICES])
            if "worker" in self.parts and (model := self.project.model()):
                self._models.note(served=model)
            if failure:
                judge(failure, self.next_serves)

    def _given(self, environment: Mapping[str, str] = NOTHING) -> dict[str, str]:
        """See `LocalNext._given`: of the shell, compose.yaml passes on no `API_KEYS_FILE`, nor `api_keys`."""
        passed_on = {name: value for name, value in os.environ.items() if name in NAMES}
        return {**passed_on, **self._environment, **environment}

    def _require_own(self) -> set[str]:
        """The services that run. Raises StackError where containers, ports or documents are somebody else's."""
        self.project.refuse_another_clone()
        self.site.guards.require(self._given())
        running = {each.service for each in self.project.containers() if each.runs}
        if running:
            self.site.agree()
        else:
            require_distinct(self.site.ports, self._asked())
        self._require_ports(running, self.parts)
        if "postgres" in self.parts:
            self._documents.claim()
        return running

    def _up_next(self) -> None:
        """Start what a model that is being replaced needs besides."""
        self.project.make_images([NEXT])
        self._require_ports({each.service for each in self.project.containers() if each.runs}, [NEXT])
        self.project.run("up", "--detach", "--no-build", "--no-deps", NEXT)
        self._wait([NEXT])

    def _services(self) -> list[str]:
        front = ["front"] if set(SERVICES) & set(self.parts) else []
        migrate = ["migrate"] if {"postgres", "api"} <= set(self.parts) else []
        return [*self.parts, *migrate, *front]

    def _require_ports(self, running: Collection[str], parts: Collection[Part]) -> None:
        """Each port of a part that doesn't run must be free. Ports of the services are the front door's."""
        holders = {part: "front" if part in SERVICES else part for part in parts}
        missing = {part: self.site.ports[part] for part, holder in holders.items() if holder not in running}
        require_free(missing, by_engine=True)

    def _begin(self, services: list[str]) -> None:
        log.info("%-9s project %s: %s", "compose", self.project.name, ", ".join(services))
        alone = () if "postgres" in services else ("--no-deps",)
        try:
            if "api" in services:
                self._set("api", NOTHING)
            self.project.run("up", "--detach", "--no-build", *alone, *services, settings=self._with_chat())
        except StackError as error:
            raise StackError(f"{self._unusable_documents() or error}\n{self._failures()}") from error
        self._wait(self.parts)

    def _unusable_documents(self) -> str | None:
        """Why Postgres can't use its documents, where they are, and what to do."""
        if "postgres" not in self.parts:
            return None
        [status] = self._look(["postgres"])
        if status.hopeless:
            return status.detail
        if INCOMPATIBLE in self._log("postgres", "--tail", LAST_LINES):
            return self._way_out("the documents are another PostgreSQL version's")
        return None

    def _way_out(self, what: str) -> str:
        volume = self._documents.volume
        return (
            f"{what}: volume {volume}. If another clone made them, set COMPOSE_PROJECT_NAME here. Otherwise put back "
            f"what they were made with, or remove them (make down, then docker volume rm {volume})"
        )

    def _wait(self, parts: Collection[Part]) -> None:
        wait_ready(self._look_behind_front, dict.fromkeys(parts, READY_SECONDS), self._end_of_log, LOOK_SECONDS)

    def _failures(self) -> str:
        ended = {each.service for each in self.project.containers() if each.ever_ran and each.exit_code}
        return "\n".join(self._end_of_log(service) for service in sorted(ended))

    def _end_of_log(self, service: str) -> str:
        return f"--- the end of {service}'s log\n{self._log(service, '--tail', LAST_LINES)}"

    def _log(self, service: str, *options: str) -> str:
        return self.project.run("logs", "--no-color", "--no-log-prefix", *options, service)

    def down(self) -> None:
        with self.site.alone():
            self._remove_containers()
            self.site.forget()
            self.site.guards.forget()
            self.site.heal()

    def discard(self) -> None:
        other = self._documents.other()
        self._remove_containers(*(() if other else ("--volumes",)))
        if other:
            log.info("%-9s volume %s stays: its documents are those of %s", "compose", self._documents.volume, other)
        self.site.discard()

    def _remove_containers(self, *options: str) -> None:
        self.project.refuse_another_clone()
        self.project.run(*WHOLE, "down", "--remove-orphans", *options)
        self.project.refuse_another_clone()  # those of a former name, which go on

    def start(self, part: Part, *, wait: bool = True, environment: Mapping[str, str] = NOTHING) -> None:
        running = {each.service for each in self.project.containers() if each.runs}
        if part in running:
            raise StackError(f"{part} runs already")
        self._require_guards(part, environment)
        self.site.agree()
        if part == "worker":
            self._models.require_served(self.project.named_model())
        self._require_ports(running, [part])
        services = [part, "front"] if part in SERVICES else [part]
        self._set(part, environment)
        self.project.run("up", "--detach", "--no-build", "--no-deps", *services, settings=self._with_chat())
        if wait:
            self._wait([part])

    def stop(self, part: Part) -> int | None:
        self.project.run("stop", part)
        code = _exit_code(self.project.containers(part))
        log.info("%-9s stopped, exit code %s", part, code)
        return code

    def migrate(self) -> None:
        log.info("%-9s migrating the database", "api")
        try:
            self.project.run("run", "--rm", "--no-deps", "migrate")
        except StackError as error:
            raise StackError(f"the migration failed: {error}") from error

    def next_serves(self) -> bool | None:
        return cut_over(self.site, self._port("postgres", self.project.containers()))

    def _make_next(self) -> None:
        self.project.make_images([NEXT])

    def _recorded(self, model: str) -> str:
        return model

    def adopt_next(self) -> None:
        self._require_guards("worker")
        model = self._models.next
        require_cut_over(self.next_serves(), model, self.project.named_model())
        self.project.require_image(model)
        self._models.note(served=model)
        self.project.make_images(["worker"])
        self.restart("worker")

    def run_reindex(self, *arguments: str) -> int:
        terminal = () if sys.stdin.isatty() and sys.stdout.isatty() else ("--no-TTY",)
        command = ("api", "python", "-m", "api.reindex", *arguments)
        return self.project.watch("run", "--rm", "--no-deps", *terminal, *command)

    def signal(self, part: Part, sig: Signals) -> None:
        """See `Stack.signal`. Raises StackError for what the init that is process 1 would not pass on."""
        if sig in NOT_PASSED_ON:
            raise StackError(f"{sig.name} doesn't get past the init of a container")
        self.project.run("kill", "--signal", sig.name, part)

    def pause(self, part: Part) -> None:
        self.project.run("pause", part)

    def resume(self, part: Part) -> None:
        self.project.run("unpause", part)

    def signal_process(self, part: Part, sig: Signals) -> None:
        docker("exec", self._running(part)[0].id, "python", "-c", SIGNAL_ONE, str(int(sig)))

    def roll(self, part: Part) -> None:
        self._keep(part)
        roll(self.project, part, PORTS[part], self._with_chat())

    def scale(self, part: Part, replicas: int) -> list[str]:
        self._keep(part)
        return scale(self.project, part, PORTS[part], replicas, self._with_chat())

    def _keep(self, part: Part) -> None:
        """More of a part start with its settings."""
        self._require_guards(part, known := self._settings.get(part, NOTHING))
        self._set(part, known)

    def _set(self, part: Part, environment: Mapping[str, str]) -> None:
        """A part starts with these settings; an api that is `detoured` goes through the proxy."""
        self._settings = {**self._settings, part: {**self.own_detours(part), **environment}}

    def _with_chat(self) -> Mapping[Part, Mapping[str, str]]:
        """The settings of all parts; if there is a stand-in for a chat model, the api's lead there."""
        there = CHAT in self.parts or any(each.runs for each in self.project.containers(CHAT))
        chat = self.chat() if there and not demo_chat.named_another() else NOTHING
        return {**self._settings, "api": {**chat, **self._settings.get("api", NOTHING)}}

    def cut(self, part: Part) -> None:
        for each in self._running(part):
            docker("network", "disconnect", self.project.network, each.id)

    def mend(self, part: Part) -> None:
        for each in (one for one in self._running(part) if not one.address):
            docker("network", "connect", "--alias", part, self.project.network, each.id)

    def _running(self, part: Part) -> list[Container]:
        if found := [each for each in self.project.containers(part) if each.runs]:
            return found
        raise StackError(f"{part} doesn't run")

    def share(self, name: str, text: str) -> str:
        self.site.share(name, text)
        return SHARED

    def shared(self, name: str) -> str:
        return self.site.shared_text(name)

    def detours(self) -> Mapping[Part, Mapping[str, str]]:
        if not any(each.runs for each in self.project.containers(PROXY)):
            return {}
        return {part: {name: self.site.url(part, PORTS[part], PROXY)} for part, name in ADDRESSES.items()}

    def start_detours(self) -> None:
        log.info("%-9s between the api and what it needs: python -m stack toxic", "proxy")
        self.project.run("up", "--detach", "--no-build", "--no-deps", PROXY)

    def environment(self, part: Part) -> Mapping[str, str]:
        """See `Stack.environment`: as the engine knows it, whose processes may be another user's."""
        return next((each.environment for each in self.project.containers(part) if each.runs), NOTHING)

    def chat(self) -> Mapping[str, str]:
        return demo_chat.settings(self.site.url(CHAT, PORTS[CHAT], CHAT))

    def url(self, part: Part) -> str:
        return self.site.url(part, self._port(part, self.project.containers()))

    def own_url(self, part: Part) -> str:
        """The container itself: the front door and the engine's proxy accept connections before it does.

        Raises StackError when it doesn't run, or its network can't be reached from here.
        """
        addresses = [each.address for each in self.project.containers(part) if each.runs and each.address]
        if not addresses:
            raise StackError(f"{part} has no address: it doesn't run")
        return f"http://{addresses[0]}:{PORTS[part]}"

    def _port(self, part: Part, found: Iterable[Container]) -> int:
        """The port on which the part was published at its start, or would be now."""
        holder = "front" if part in SERVICES else part
        ports = (each.ports.get(PORTS[part]) for each in found if each.service == holder)
        return next(filter(None, ports), self.site.ports[part])

    def logs(self, part: Part) -> str:
        return self._log(part)

    def pids(self, part: Part) -> list[int]:
        """Process ids on the engine's host, without the init that is process 1, and without running health checks."""
        found: list[int] = []
        for each in self.project.containers(part):
            if each.pid:
                lines = docker("top", each.id, "-eo", "pid,ppid").splitlines()[1:]
                parents = {int(pid): int(parent) for pid, parent in map(str.split, lines)}
                found += descendants(each.pid, parents)[int(each.init) :]
        return found

    def status(self) -> list[PartStatus]:
        self.project.refuse_another_clone()
        return shown(self._look(EVERY))

    def _look(self, parts: Collection[Part]) -> list[PartStatus]:
        found = self.project.containers()
        return [self._status(part, found) for part in in_order(parts)]

    def _look_behind_front(self, parts: Collection[Part]) -> list[PartStatus]:
        """The same; raises StackError when the front door has ended, without which no service is ever reached."""
        front = self.project.containers("front")
        if set(SERVICES) & set(parts) and front and not any(each.runs for each in front):
            raise StackError(f"front ended with exit code {_exit_code(front)}\n{self._end_of_log('front')}")
        return self._look(parts)

    def _status(self, part: Part, found: list[Container]) -> PartStatus:
        own = [each for each in found if each.service == part]
        code = _exit_code(own)
        running = [each for each in own if each.runs]
        if not running:
            detail = "stopped" if code is None else f"stopped with exit code {code}"
            return PartStatus(part, running=False, ready=False, detail=detail, pid=None, exit_code=code)
        health = check(self.site, part, self._port(part, found))
        restarts = sum(each.restarts for each in own)
        detail = f"{health.detail}, restarted {restarts} times" if restarts else health.detail
        return PartStatus(
            part,
            running=True,
            ready=health.ready,
            detail=self._way_out(health.detail) if health.hopeless else detail,
            pid=running[0].pid,
            exit_code=code,
            hopeless=health.hopeless,
        )


def _exit_code(replicas: list[Container]) -> int | None:
    """The worst exit code; None while a container runs, or if none ever did."""
    if any(each.runs for each in replicas):
        return None
    return max((each.exit_code for each in replicas if each.ever_ran), default=None)
