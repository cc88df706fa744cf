"""The stack without containers: the real services, PostgreSQL and Valkey, as processes on 127.0.0.1."""

import logging
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count, islice
from pathlib import Path
from signal import Signals

from stack import demo_chat
from stack.daemon import Daemon
from stack.detours import Detours
from stack.errors import StackError
from stack.foreground import foreground
from stack.health import age
from stack.interface import ADDRESSES, CHAT, EVERY, NEXT, NOTHING, PARTS, SERVICES, Part, PartStatus, in_order, shown
from stack.local_next import LocalNext
from stack.models import VARIABLE, Models, of_artifact
from stack.port_claims import free_ports
from stack.ports import require_distinct, require_free
from stack.postgres import Postgres
from stack.program import Program
from stack.readiness import wait_ready
from stack.services import Service, run_step, service_environment
from stack.site import DEFAULT_ROOT, Site
from stack.under_way import attempt, cut_over, judge, require_cut_over
from stack.valkey import Valkey
from stack.waiting import until

REPLICAS = "replicas"  # a folder
ROLL_SECONDS = 120.0  # above STARTUP_TIMEOUT and a drain

log = logging.getLogger(__name__)

ARTIFACT_ENGINES = {"auto", "onnx", "openvino"}


class EmbeddedStack(LocalNext):
    """Processes that outlive this one, unless it is used as a context manager.

    Args:
        root: folder of data, logs and pid files.
        ports: by part; those of the environment variables, else the defaults.
        parts: which ones `up` starts.
        environment: settings for both services, above those of this process.
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
        self._started_with: dict[Part, Mapping[str, str]] = {}
        self._detours = Detours(self.site)
        self._models = Models(self.site, "embedded")
        self._programs: dict[Part, Program] = {
            "postgres": Postgres(self.site),
            "valkey": Valkey(self.site),
            "worker": Service("worker", self.site),
            "worker-next": Service("worker-next", self.site, "worker"),
            "chat": demo_chat.DemoChat(self.site),
            "api": Service("api", self.site),
        }

    def up(self) -> None:
        """See `Stack.up`. Parts that run already are left alone, but must be ready too."""
        with self.site.alone():
            self.site.guards.require(self._given())
            missing = [part for part in self.parts if not self._programs[part].daemon.main()]
            if len(missing) < len(self.parts) or self.pids(NEXT):
                self.site.agree()
            else:
                require_distinct(self.site.ports, self._asked())
            require_free({part: self._programs[part].port for part in missing})
            if self.lacks_proxy():
                self.start_detours()
            started: list[Part] = []
            try:
                failure = attempt(lambda: self._up_next(started)) if self._models.next else None
                self._start_all(missing, started)
            except BaseException:  # an interrupt, too, must leave nothing half-started
                for part in reversed(started):
                    self.stop(part)
                if "api" in started:
                    self._detours.stop()
                raise
            self.site.remember()
            self.site.guards.note(self._given(), [part for part in missing if part in SERVICES])
            if "worker" in missing and (model := service_environment(self._settings("worker")).get(VARIABLE)):
                self._models.note(served=self._recorded(model))
            if failure:
                judge(failure, self.next_serves)

    def _up_next(self, started: list[Part]) -> None:
        """Start what a model that is being replaced needs besides."""
        if self.pids(NEXT):
            wait_ready(self._look, {NEXT: self._programs[NEXT].start_seconds}, self._end_of_log)
        else:
            self._export(NEXT)
            started.append(NEXT)
            self.start(NEXT)

    def _start_all(self, missing: list[Part], started: list[Part]) -> None:
        def launch(*parts: Part) -> None:
            for part in parts:
                if part in missing:
                    started.append(part)
                    self._launch(part)

        if "worker" in missing and (known := self._model("worker")):
            log.info("%-9s serves %s as the last time: EMBEDDING_MODEL would change that", "worker", known[VARIABLE])
        if "worker" in missing:
            self._export("worker")
        launch("postgres", "valkey", "worker", CHAT)  # the worker needs no store, and takes longest
        self._wait("postgres", "valkey")
        if "api" in missing and "postgres" in self.parts:
            self.migrate()
        launch("api")
        self._wait("worker", CHAT, "api")
        if {CHAT, "api"} <= {*self.parts} and "api" not in missing:
            self._lead_to_chat(started)

    def _lead_to_chat(self, started: list[Part]) -> None:
        """Restart an api that was started without the stand-in: it reads its settings at a start only."""
        wanted = service_environment(self._settings("api")).get(demo_chat.ADDRESS)
        if self.environment("api").get(demo_chat.ADDRESS) != wanted:
            log.info("%-9s runs without the stand-in for a chat model: restarting", "api")
            started.append("api")
            self.restart("api")

    def _wait(self, *parts: Part) -> None:
        limits = {part: self._programs[part].start_seconds for part in parts if part in self.parts}
        wait_ready(self._look, limits, self._end_of_log)

    def _look(self, parts: Collection[Part]) -> list[PartStatus]:
        return [self._status(part) for part in in_order(parts)]

    def _end_of_log(self, part: Part) -> str:
        daemon = self._programs[part].daemon
        return f"--- the end of {daemon.log_file}\n{daemon.tail()}"

    def _launch(self, part: Part, environment: Mapping[str, str] = NOTHING) -> None:
        program = self._programs[part]
        known = self._settings(part) if isinstance(program, Service) else NOTHING
        log.info("%-9s starting on port %d", part, program.port)
        program.start({**known, **environment})

    def _settings(self, part: Part | None = None) -> dict[str, str]:
        addresses = {variable: self.url(each) for each, variable in ADDRESSES.items()}
        addresses["NEXT_WORKER_URL"] = self.url(NEXT)
        return {**addresses, **self.own_detours(part), **self._own_chat(part), **self._environment, **self._model(part)}

    def _own_chat(self, part: Part | None) -> Mapping[str, str]:
        """Of the api, what leads it to the stand-in for a chat model, if there is one."""
        there = CHAT in self.parts or self._programs[CHAT].daemon.main()
        return self.chat() if part == "api" and there and not demo_chat.named_another() else NOTHING

    def _model(self, part: Part | None) -> dict[str, str]:
        """What was written down, unless the user names a model for the worker.

        Raises:
            StackError: the user names one for the worker that it can't have while a model is being replaced.
        """
        named = self._named()
        if part == "worker":
            self._models.require_served(named)
        model = self._models.next if part == NEXT else "" if named else self._models.served
        return {VARIABLE: model} if model else {}

    def _named(self) -> str:
        return self._recorded(self._environment.get(VARIABLE, os.environ.get(VARIABLE, "")))

    def _recorded(self, model: str) -> str:
        """As it is written down: another engine needs a folder itself."""
        engine = self._environment.get("ENGINE", os.environ.get("ENGINE", "auto"))
        return of_artifact(model) if engine in ARTIFACT_ENGINES else model

    def down(self) -> None:
        with self.site.alone():
            for replica in self._replicas():
                replica.discard()
            for part in reversed(EVERY):
                self.stop(part)
            self._detours.stop()
            self.site.forget()
            self.site.guards.forget()
            self.site.heal()

    def discard(self) -> None:
        self.down()
        self.site.discard()

    def start(self, part: Part, *, wait: bool = True, environment: Mapping[str, str] = NOTHING) -> None:
        program = self._programs[part]
        if program.daemon.main():
            raise StackError(f"{part} runs already")
        self._require_guards(part, environment)
        self.site.agree()
        require_free({part: program.port})
        self._started_with[part] = environment
        self._launch(part, environment)
        if wait:
            wait_ready(self._look, {part: program.start_seconds}, self._end_of_log)

    def stop(self, part: Part) -> int | None:
        program = self._programs[part]
        ran = program.daemon.main() is not None
        code = program.stop()
        if ran:
            log.info("%-9s stopped, exit code %s", part, code)
        return code

    def migrate(self) -> None:
        log.info("%-9s migrating the database", "api")
        run_step("the migration", "api.migrate", self._settings(), self.site.logs / "migrate.log")

    def _export(self, part: Part) -> None:
        settings = self._settings(part)
        if service_environment(settings).get("ENGINE", "auto") not in ARTIFACT_ENGINES:
            return
        log.info("%-9s looking for the artifact of the model (15 s, if it must be made)", part)
        run_step("the export of the model", "worker.export", settings, self.site.logs / "export.log")

    def next_serves(self) -> bool | None:
        return cut_over(self.site, self._programs["postgres"].port)

    def _make_next(self) -> None:
        self._export(NEXT)

    def adopt_next(self) -> None:
        self._require_guards("worker")
        model = self._models.next
        require_cut_over(self.next_serves(), model, self._named())
        self._models.note(served=model)
        self.restart("worker")

    def run_reindex(self, *arguments: str) -> int:
        command = (sys.executable, "-m", "api.reindex", *arguments)
        return foreground(command, service_environment(self._settings("api")))

    def signal(self, part: Part, sig: Signals) -> None:
        self._running(part).signal(sig)

    def pause(self, part: Part) -> None:
        self._running(part).pause()

    def resume(self, part: Part) -> None:
        self._running(part).resume()

    def _running(self, part: Part) -> Daemon:
        """Raises StackError for a part that doesn't run."""
        daemon = self._programs[part].daemon
        if not daemon.main():
            raise StackError(f"{part} doesn't run")
        return daemon

    def signal_process(self, part: Part, sig: Signals) -> None:
        served = self._programs[part].daemon.processes()[1:]
        if not served:
            raise StackError(f"{part} has no process that serves")
        served[0].send_signal(sig)

    def roll(self, part: Part) -> None:
        """See `Stack.roll`. The old processes of one replica drain while the next one is rolled, as in a Deployment."""
        for end in [each.begin_roll(part) for each in (self, *self._replicas(part))]:
            end()

    def begin_roll(self, part: Part) -> Callable[[], None]:
        """Roll this replica alone, until a new process answers; what is returned waits for the end of the old ones."""
        before, since = self.pids(part), time.monotonic()
        if not before:
            raise StackError(f"{part} doesn't run")
        self.signal(part, Signals.SIGHUP)
        until(lambda: self._answers_anew(part, since), ROLL_SECONDS, f"an answer of a new {part}")

        def end() -> None:
            gone = f"{part} with none of the processes it had"
            until(lambda: not set(before[1:]) & set(self.pids(part)), ROLL_SECONDS, gone)
            wait_ready(self._look, {part: ROLL_SECONDS}, self._end_of_log)

        return end

    def _answers_anew(self, part: Part, since: float) -> bool:
        """Whether a process answers that began since then: while others serve, it does so once it is ready."""
        asked = time.monotonic()
        return age(self.url(part)) < asked - since

    def scale(self, part: Part, replicas: int) -> list[str]:
        self._require_guards(part, self._started_with.get(part, NOTHING))
        known = self._replicas(part)
        kept = [each for each in known if each.pids(part)][: replicas - 1]
        for replica in set(known) - set(kept):
            replica.discard()
        faults = {"FAULTS_FILE": str(self.site.shared / f"{part}.faults")}
        settings = {**self._settings(part), **faults, **self._started_with.get(part, NOTHING)}
        roots = (self.site.root / REPLICAS / f"{part}-{number}" for number in count(2))
        for root in islice((each for each in roots if not each.exists()), replicas - 1 - len(kept)):
            kept.append(EmbeddedStack(root, {**self.site.ports, part: free_ports()[part]}, [part], settings))
            kept[-1].start(part)
        return [self.url(part), *(each.url(part) for each in kept)]

    def _replicas(self, part: Part | None = None) -> list["EmbeddedStack"]:
        """The replicas besides the first, each a stack of one part."""
        folders = sorted((self.site.root / REPLICAS).glob(f"{part or '*'}-*"))
        return [EmbeddedStack(folder, self.site.ports) for folder in folders]

    def share(self, name: str, text: str) -> str:
        self.site.share(name, text)
        return str(self.site.shared)

    def shared(self, name: str) -> str:
        return self.site.shared_text(name)

    def detours(self) -> Mapping[Part, Mapping[str, str]]:
        return self._through(self._detours.ports())

    def _through(self, ports: Mapping[Part, int]) -> Mapping[Part, Mapping[str, str]]:
        return {part: {ADDRESSES[part]: self.site.url(part, port)} for part, port in ports.items()}

    def lacks_proxy(self) -> bool:
        ways = self._through(self._detours.last_ports()).values()
        return not self.detours() and any(each.items() <= self.environment("api").items() for each in ways)

    def start_detours(self) -> None:
        """See `Stack.start_detours`: on the ports that the api which runs was given, if it lacks the proxy."""
        log.info("%-9s between the api and what it needs: python -m stack toxic", "proxy")
        known = self._detours.last_ports() if self.lacks_proxy() else free_ports()
        targets = {part: self._programs[part].port for part in ADDRESSES}
        self._detours.start({part: known[part] for part in targets}, targets)

    def chat(self) -> Mapping[str, str]:
        return demo_chat.settings(self.url(CHAT))

    def url(self, part: Part) -> str:
        return self._programs[part].url

    def logs(self, part: Part) -> str:
        return self._programs[part].daemon.logs()

    def pids(self, part: Part) -> list[int]:
        return [process.pid for process in self._programs[part].daemon.processes()]

    def status(self) -> list[PartStatus]:
        return shown(self._look(EVERY))

    def _status(self, part: Part) -> PartStatus:
        program = self._programs[part]
        main = program.daemon.main()
        if main is None:
            code = program.daemon.ended()
            detail = "stopped" if code is None else f"stopped with exit code {code}"
            return PartStatus(part, running=False, ready=False, detail=detail, pid=None, exit_code=code)
        health = program.health()
        return PartStatus(
            part,
            running=True,
            ready=health.ready,
            detail=health.detail,
            pid=main.pid,
            exit_code=program.daemon.exit_code(),
            hopeless=health.hopeless,
        )
