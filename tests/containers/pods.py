"""The pods of a rendered overlay as containers of a Docker engine, confined as their manifests say.

A container that sleeps stands in for the pause container: it is process 1 of the pod, and has its network and its name.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from k8s.tests.rules.manifest import Manifest, Object, Pod, quantity
from stack.docker import docker

PAUSE = "warmstart-api:0.1.0"  # it is there, and can sleep
ANY_USER = "123456:0"  # a pod that names none gets one of its namespace's range on OpenShift


class Node:
    """Runs pods on a network of its own.

    Args:
        network: its name; the pods' containers are called after it.
        folder: for the files of secrets.
    """

    def __init__(self, network: str, folder: Path, manifest: Manifest) -> None:
        self._network = network
        self._folder = folder
        self._manifest = manifest
        self._started: list[str] = []

    @classmethod
    @contextmanager
    def of(cls, manifest: Manifest, folder: Path, name: str = "node") -> Iterator["Node"]:
        """One whose containers and network are gone afterwards."""
        node = cls(f"warmstart-{name}-{os.getpid()}", folder, manifest)
        with ExitStack() as undo:
            docker("network", "create", node._network)
            undo.callback(docker, "network", "rm", node._network)
            undo.callback(lambda: docker("rm", "--force", "--volumes", *reversed(node._started)))
            yield node

    def start(self, pod: Pod) -> str:
        """The id of its main container."""
        pause = f"{self._network}-{pod.name}"
        sleep = ("--entrypoint", "sleep", PAUSE, "infinity")
        self._run("--name", pause, "--network", self._network, "--network-alias", pod.name, "--init", *sleep)
        shared = (f"--pid=container:{pause}", f"--network=container:{pause}")
        main, *_ = (self._start(pod, each, *shared) for each in pod.spec["containers"])
        return main

    def beside(self, pod: Pod, container: str) -> str:
        """The name of another container of a started pod."""
        return f"{self._network}-{pod.name}-{container}"

    def _start(self, pod: Pod, own: Object, *shared: str) -> str:
        command = [*own.get("command", []), *own.get("args", [])]
        entrypoint = ("--entrypoint", command.pop(0)) if "command" in own else ()
        name = ("--name", self.beside(pod, own["name"]))
        return self._run(
            *name, *shared, *self._confinement(pod, own), *self._files(pod, own), *entrypoint, own["image"], *command
        )

    def _run(self, *arguments: str) -> str:
        container = docker("run", "--detach", *arguments).strip()
        self._started.append(container)
        return container

    def _confinement(self, pod: Pod, container: Object) -> Iterator[str]:
        own, limits = container["securityContext"], container["resources"]["limits"]
        user = pod.spec["securityContext"]
        yield f"--user={user['runAsUser']}:{user['runAsGroup']}" if "runAsUser" in user else f"--user={ANY_USER}"
        yield from (f"--cap-drop={each}" for each in own["capabilities"]["drop"])
        yield from ["--read-only"] if own["readOnlyRootFilesystem"] else []
        yield from ["--security-opt=no-new-privileges"] if own["allowPrivilegeEscalation"] is False else []
        yield f"--cpus={min(quantity(limits['cpu']), os.cpu_count() or 1)}"
        yield f"--memory={int(quantity(limits['memory']))}"
        yield from (f"--env={key}={value}" for key, value in self._manifest.environment_of(container).items())

    def _files(self, pod: Pod, container: Object) -> Iterator[str]:
        volumes = {each["name"]: each for each in pod.spec.get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            volume, path = volumes[mount["name"]], mount["mountPath"]
            if "emptyDir" in volume:
                yield f"--tmpfs={path}:mode=0777"
            else:
                yield f"--volume={self._secret(volume['secret'])}:{path}:ro,z"

    def _secret(self, source: Object) -> Path:
        secret = self._manifest.get("Secret", source["secretName"]) or {}
        wanted = {each["key"] for each in source.get("items", [])} or secret["data"].keys()
        folder = self._folder / "-".join([source["secretName"], *sorted(wanted)])
        folder.mkdir(parents=True, exist_ok=True)
        for key in wanted:
            (folder / key).write_bytes(base64.b64decode(secret["data"][key]))
        return folder
