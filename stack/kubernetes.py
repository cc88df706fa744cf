"""The stack in a cluster: k8s/, run by kubectl in the context that KUBE_CONTEXT names."""

import base64
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from signal import SIGCONT, SIGSTOP, Signals

from stack import chat_objects, inside, replacing, sidecar
from stack.departure import watch_out
from stack.deployments import ENVIRONMENT, added, is_rolled_out
from stack.errors import StackError
from stack.interface import (
    ADDRESSES,
    CHAT,
    EVERY,
    NEXT,
    NOTHING,
    PARTS,
    SERVICES,
    Part,
    PartStatus,
    Stack,
    in_order,
    shown,
)
from stack.kept import Kept
from stack.kubectl import Kubectl
from stack.manifests import NAMESPACE, SHARED, Manifests, Object, program
from stack.models import VARIABLE
from stack.pods import PART_LABEL, Pod, last_warning
from stack.reach import Reach, authority
from stack.readiness import wait_ready
from stack.site import DEFAULT_ROOT, Site
from stack.under_way import CUT_OVER, answer
from stack.waiting import until

log = logging.getLogger(__name__)

READY_SECONDS = 300.0  # the first time a node may start everything at once, and a service may be tried again
ROLL_SECONDS = 300.0
PLACED_SECONDS = 30.0  # until a pod has a node and an address
GONE_SECONDS = 90.0  # above terminationGracePeriodSeconds
MIGRATION_SECONDS = 300.0
LOOK_SECONDS = 1.0
OURS = {"app.kubernetes.io/part-of": "warmstart"}


class KubernetesStack(Stack):
    """Deployments in the namespace `warmstart`. A part with several replicas is all of them.

    Postgres keeps its data in its pod. `stop` saves the data here first, and `start` or `up` restores it. If the pod
    ends in any other way, or by `down`, the data is lost. A new pod makes the schema by itself.

    Args:
        root: folder of the files for kubectl, and of port-forwards.
        ports: where forwards listen, by part; those of the environment variables, else the defaults.
        parts: which ones `up` starts.
        environment: settings for both services; with FAULTS_ENABLED=1 they get fault switches.
    """

    breakable = "in a cluster only the drills do (docs/drills.md)"
    local = False
    ending = f"make k8s-down deletes the namespace {NAMESPACE}, and the documents with it"
    left = "what runs in the cluster goes on"

    def __init__(
        self,
        root: Path = DEFAULT_ROOT,
        ports: Mapping[Part, int] | None = None,
        parts: Iterable[Part] = PARTS,
        environment: Mapping[str, str] = NOTHING,
    ) -> None:
        self.parts = in_order(parts)
        self.site = Site.at(root, ports)
        self.kubectl = Kubectl(NAMESPACE)
        self.manifests = Manifests(self.site.run / "kustomize", environment)
        self.reach = Reach(self.site, self.kubectl)
        self.kept = Kept(self.site.data / "postgres.sql", self.kubectl)

    def up(self) -> None:
        """See `Stack.up`. A running part is replaced if it changed; after an error everything stays for inspection."""
        with self.site.alone():
            self._refuse_foreign_namespace()
            log.info("%-9s context %s, namespace %s", "cluster", self.kubectl.command()[2], NAMESPACE)
            chat = (chat_objects.COMPONENT,) if CHAT in self.parts or self._deployed(CHAT) else ()
            found = chat_objects.filled(self.manifests.objects(*chat))
            self._apply([each for each in found if self._wanted(each)])
            for part in self.parts:
                if not self._replicas(part):  # an apply leaves a stopped service stopped
                    self._begin(part)
            self._wait(self.parts)
            if "postgres" in self.parts:
                self.kept.warn()

    def _begin(self, part: Part) -> None:
        if part == "postgres" and self.kept:
            self.start(part)
        else:
            self.kubectl.run("scale", f"deployment/{part}", "--replicas", "1")

    def _refuse_foreign_namespace(self) -> None:
        found = self.kubectl.items("namespaces", f"--field-selector=metadata.name={NAMESPACE}")
        if any(not OURS.items() <= each["metadata"].get("labels", {}).items() for each in found):
            raise StackError(f"there is a namespace {NAMESPACE} that isn't ours: it lacks the label {OURS}")

    def _wanted(self, found: Object) -> bool:
        name, kind = found["metadata"]["name"], found["kind"]
        if kind == "Job":
            return {"postgres", "api"} <= set(self.parts)
        return kind not in ("Deployment", "HorizontalPodAutoscaler") or name in self.parts

    def _deployed(self, part: Part) -> bool:
        found = self.kubectl.items("deployments", f"--field-selector=metadata.name={part}")
        return any(each["metadata"]["name"] == part for each in found)

    def _replicas(self, part: Part) -> int:
        return int(self.kubectl.json("get", "deployment", part)["spec"]["replicas"])

    def _apply(self, objects: Iterable[Object]) -> None:
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl.run("apply", "--filename", "-", text=items)

    def _wait(self, parts: Collection[Part]) -> None:
        wait_ready(self._look, dict.fromkeys(parts, READY_SECONDS), self._end_of_log, LOOK_SECONDS)

    def _end_of_log(self, part: Part) -> str:
        events = self.kubectl.run("get", "events", "--sort-by", ".metadata.creationTimestamp")
        own = [line for line in events.splitlines() if f"/{part}-" in line][-10:]
        return "\n".join([f"--- the end of {part}'s log", *self.logs(part).splitlines()[-25:], "--- events", *own])

    def down(self) -> None:
        """Delete the namespace with everything in it: the pods' data doesn't outlive the pods anyhow."""
        with self.site.alone():
            self._refuse_foreign_namespace()
            self.reach.close()
            self.kept.discard()
            self.kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout=GONE_SECONDS)
            log.info("%-9s namespace %s is gone, and all documents with it", "cluster", NAMESPACE)

    def discard(self) -> None:
        self.down()
        self.site.discard()

    def start(self, part: Part, *, wait: bool = True, environment: Mapping[str, str] = NOTHING) -> None:
        if part == CHAT and not self._deployed(CHAT):
            self._apply(chat_objects.alone(self.manifests.objects(chat_objects.COMPONENT)))
        found = self.kubectl.json("get", "deployment", part)
        if found["spec"]["replicas"]:
            raise StackError(f"{part} runs already")
        environment = {**({VARIABLE: self.next_model()} if part == NEXT else {}), **environment}
        changed = [self._put_back(part, name) for name in added(found) if name not in environment]
        changed += [{"name": name, "value": value} for name, value in environment.items()]
        spec = {"containers": [{"name": part, "env": changed}]}
        if part == "api":
            spec = sidecar.beside(spec, environment)
        patch = {
            "metadata": {"annotations": {ENVIRONMENT: ",".join(environment)}},
            "spec": {"replicas": 1, "template": {"spec": spec}},
        }
        kept = part == "postgres" and self.kept
        with self.kept.restored(lambda: self._running(part)[0].name) if kept else nullcontext():
            self.kubectl.run("patch", "deployment", part, "--patch", json.dumps(patch))
            if wait or part == "postgres":
                self._wait([part])

    def _put_back(self, part: Part, name: str) -> Object:
        """The variable as the manifest has it: what the last start changed of it is undone."""
        own = [] if part in (NEXT, CHAT) else self.manifests.container(part).get("env", [])
        return next((each for each in own if each["name"] == name), {"name": name, "$patch": "delete"})

    def stop(self, part: Part) -> int | None:
        if part == "postgres" and any(each.ready for each in self.pods(part)):
            self.kept.save(self._running(part)[0].name)
        names = [pod.name for pod in self.pods(part) if not pod.leaving]
        scale = ("scale", f"deployment/{part}", "--replicas", "0")
        if not names:
            self.kubectl.run(*scale)
            return None
        ended = watch_out(self.kubectl, _selector(part), names, lambda: self.kubectl.run(*scale), GONE_SECONDS)
        codes = [pod.exit_code for pod in ended if pod.exit_code is not None]
        log.info("%-9s stopped, exit code %s", part, max(codes, default=None))
        return max(codes, default=None)

    def migrate(self) -> None:
        log.info("%-9s migrating the database", "api")
        job = self.manifests.get("Job")
        name = f"job/{job['metadata']['name']}"
        self.kubectl.run("delete", name, "--ignore-not-found", timeout=GONE_SECONDS)
        self._apply([job])
        limit = f"--timeout={MIGRATION_SECONDS:g}s"
        try:
            self.kubectl.run("wait", name, "--for=condition=complete", limit, timeout=MIGRATION_SECONDS + 30)
        except StackError as error:
            raise StackError(f"the migration failed: {error}\n{self.kubectl.run('logs', name)}") from error

    def next_model(self) -> str:
        return self.environment(NEXT).get(VARIABLE, "") if self._deployed(NEXT) else ""

    def next_serves(self) -> bool | None:
        return answer(self._exec(self._running("postgres")[0], *inside.ASK, CUT_OVER))

    def start_next(self, model: str) -> None:
        if (known := self.next_model()) not in ("", model):
            raise replacing.there_for(known)
        try:
            self._apply(replacing.workers(self._with_next(), model, ENVIRONMENT))
            self._wait([NEXT])
        except BaseException:
            if not known:  # otherwise searches may need it
                self.stop_next()
            raise

    def stop_next(self) -> None:
        replacing.remove(self.kubectl, self._with_next())

    def adopt_next(self) -> None:
        raise replacing.not_ours_to_change(self.next_model())

    def run_reindex(self, *arguments: str) -> int:
        """See `Stack.run_reindex`: a Job, which goes on when this process is interrupted."""
        return replacing.run_job(self.kubectl, self._with_next(), arguments)

    def _with_next(self) -> list[Object]:
        return self.manifests.objects(*replacing.COMPONENTS)

    def signal(self, part: Part, sig: Signals) -> None:
        for pod in self._running(part):
            self._exec(pod, *inside.to_one(sig, self._processes(pod)[0]))

    def pause(self, part: Part) -> None:
        """See `Stack.pause`. A service that stays paused for longer than its liveness probe tolerates is restarted."""
        for pod in self._running(part):
            self._exec(pod, *inside.to_all(SIGSTOP))

    def resume(self, part: Part) -> None:
        for pod in self._running(part):
            self._exec(pod, *inside.to_all(SIGCONT))

    def signal_process(self, part: Part, sig: Signals) -> None:
        pod = self._running(part)[0]
        self._exec(pod, *inside.to_one(sig, self._processes(pod)[-1]))

    def roll(self, part: Part) -> None:
        self._running(part)
        self.kubectl.run("rollout", "restart", f"deployment/{part}")
        limit = f"--timeout={ROLL_SECONDS:g}s"
        self.kubectl.run("rollout", "status", f"deployment/{part}", limit, timeout=ROLL_SECONDS + 30)
        until(lambda: not any(pod.leaving for pod in self.pods(part)), GONE_SECONDS, f"old {part} gone")

    def scale(self, part: Part, replicas: int) -> list[str]:
        """See `Stack.scale`. The autoscaler, which would undo it, is gone until the next `up`."""
        self.kubectl.run("delete", "horizontalpodautoscaler", part, "--ignore-not-found")
        self.kubectl.run("scale", f"deployment/{part}", "--replicas", str(replicas))
        found = until(
            lambda: self._all_ready(part, replicas), READY_SECONDS, f"{replicas} of {part}", interval=LOOK_SECONDS
        )
        port = self.kubectl.json("get", "service", part)["spec"]["ports"][0]["port"]
        addresses = [self.reach.pod(pod, port) for pod in found]
        return [f"http://{authority(*each)}" for each in addresses]

    def _all_ready(self, part: Part, replicas: int) -> list[Pod]:
        found = self.pods(part)
        ready = [pod for pod in found if pod.ready and not pod.leaving]
        return ready if len(ready) == len(found) == replicas else []

    def mend(self, part: Part) -> None:
        """See `Stack.mend`. `cut` stops it: established connections outlive a network policy that forbids them."""
        if not self.kubectl.json("get", "deployment", part)["spec"]["replicas"]:
            self.start(part, environment=self.environment(part))

    def share(self, name: str, text: str) -> str:
        """See `Stack.share`: running pods get the file at once, later ones when they start."""
        self.kubectl.run("patch", "configmap", "shared", "--patch", json.dumps({"data": {name: text}}))
        for part in SERVICES:
            for pod in self.pods(part):
                if pod.running and not pod.leaving:
                    self._exec(pod, *inside.into(f"{SHARED}/{name}"), text=text)
        return SHARED

    def shared(self, name: str) -> str:
        found = self.kubectl.json("get", "configmap", "shared")
        return str(found.get("data", {}).get(name, ""))

    def detours(self) -> Mapping[Part, Mapping[str, str]]:
        """See `Stack.detours`: where the proxy will be when a pod of the api has it."""
        return sidecar.detours()

    def detour(self, part: Part) -> Mapping[str, str]:
        """See `Stack.detour`: the proxy starts with the pod of an api that is started with these settings."""
        self.start_detours()
        return sidecar.detours()[part]

    def start_detours(self) -> None:
        """Put all that the proxy needs where it will find it."""
        self._apply([program(sidecar.NAME)])
        secret = self.kubectl.json("get", "secret", "warmstart")["data"]
        for name, text in sidecar.files(secret).items():
            self.share(name, text)
        for part in ADDRESSES:
            self.spoil(part, ())

    def chat(self) -> Mapping[str, str]:
        return chat_objects.settings()

    def probe_url(self, part: Part) -> str:
        """See `Stack.probe_url`: a Service leads to ready pods only, so it is a pod's, once there is one.

        A ready one if there is any. It is another one after each start, and after a `roll`.
        """
        port = self.kubectl.json("get", "service", part)["spec"]["ports"][0]["port"]
        found = until(
            lambda: self._placed(part), PLACED_SECONDS, f"a pod of {part} with an address", interval=LOOK_SECONDS
        )
        return f"http://{authority(*self.reach.pod(found[0], port))}"

    def own_url(self, part: Part) -> str:
        return self.probe_url(part)

    def _placed(self, part: Part) -> list[Pod]:
        return sorted((pod for pod in self.pods(part) if pod.ip and not pod.leaving), key=lambda pod: not pod.ready)

    def url(self, part: Part) -> str:
        there = authority(*self.reach.service(part))
        if part not in ("postgres", "valkey"):
            return f"http://{there}"
        key, known = ("database-url", "postgres:5432") if part == "postgres" else ("redis-url", "valkey:6379")
        secret = base64.b64decode(self.kubectl.json("get", "secret", "warmstart")["data"][key]).decode()
        return secret.replace(known, there)

    def logs(self, part: Part) -> str:
        """See `Stack.logs`; of pods that are there, and of a restarted one what the last container said."""
        found = self.pods(part)
        before = {pod.name: self._said(pod, "--previous") for pod in found if pod.restarts}
        return "".join(before.get(pod.name, "") + self._said(pod) for pod in found)

    def _said(self, pod: Pod, *options: str) -> str:
        try:
            return self.kubectl.run("logs", pod.name, *options)
        except StackError:  # it has said nothing yet, or is gone meanwhile
            return ""

    def pids(self, part: Part) -> list[int]:
        """As their own pods number them."""
        found = (pod for pod in self.pods(part) if pod.running and not pod.leaving)
        return [pid for pod in found for pid in self._processes(pod)]

    def environment(self, part: Part) -> Mapping[str, str]:
        """See `Stack.environment`: those that the last `start` added to the manifest's."""
        found = self.kubectl.json("get", "deployment", part)
        container = found["spec"]["template"]["spec"]["containers"][0]
        values = {each["name"]: each.get("value", "") for each in container.get("env", [])}
        return {name: values[name] for name in added(found) if name in values}

    def status(self) -> list[PartStatus]:
        return shown(self._look(EVERY))

    def pods(self, part: Part) -> list[Pod]:
        """All pods of a part, terminating ones included."""
        return [Pod.of(each) for each in self.kubectl.items("pods", "--selector", _selector(part))]

    def _running(self, part: Part) -> list[Pod]:
        if found := [pod for pod in self.pods(part) if pod.running and not pod.leaving]:
            return found
        raise StackError(f"{part} doesn't run")

    def _processes(self, pod: Pod) -> list[int]:
        return inside.processes(self._exec(pod, "sh", "-c", inside.LIST))

    def _exec(self, pod: Pod, *command: str, text: str | None = None) -> str:
        options = () if text is None else ("--stdin",)
        return self.kubectl.run("exec", *options, pod.name, "--", *command, text=text)

    def _look(self, parts: Collection[Part]) -> list[PartStatus]:
        wanted = {each["metadata"]["name"]: each for each in self.kubectl.items("deployments")}
        pods = [Pod.of(each) for each in self.kubectl.items("pods")]
        events = self.kubectl.items("events")
        return [self._status(part, wanted.get(part), pods, events) for part in in_order(parts)]

    def _status(self, part: Part, found: Object | None, pods: Iterable[Pod], events: list[Object]) -> PartStatus:
        own = [pod for pod in pods if pod.part == part]
        staying = [pod for pod in own if not pod.leaving]
        if not found or not found["spec"]["replicas"]:
            detail = "stopped" if not own else "leaving"
            return PartStatus(part, running=False, ready=False, detail=detail, pid=None, exit_code=None)
        rolled_out = is_rolled_out(found)
        ready = rolled_out and len(staying) >= found["spec"]["replicas"] and all(pod.ready for pod in staying)
        worst = min(staying, key=lambda pod: pod.ready, default=None)
        detail = worst.describe(last_warning(events, worst.name)) if worst else "no pod yet"
        detail += "" if rolled_out else ", to be replaced"
        # The kubelet starts it again at once, so its end can be seen only afterwards.
        code = (worst.before if worst.running and not worst.ready else worst.exit_code) if worst else None
        return PartStatus(part, running=True, ready=ready, detail=detail, pid=None, exit_code=code)


def _selector(part: Part) -> str:
    return f"{PART_LABEL}={part}"
