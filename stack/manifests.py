"""The manifests of the kubernetes stack: k8s/, with the settings and the components of this stack."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from stack.errors import StackError
from stack.interface import SERVICES, Part
from stack.kubectl import render
from stack.site import REPOSITORY

Object = dict[str, Any]

K8S = REPOSITORY / "k8s"
NAMESPACE = "warmstart"
SHARED = "/run/warmstart"  # see k8s/components/faults-enabled


class Manifests:
    """The objects of one stack.

    Args:
        folder: for the kustomization that is made.
        environment: settings for both services; FAULTS_ENABLED=1 brings the component that they need.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)

    def objects(self, *components: str) -> list[Object]:
        """All of them, with more components, in the order in which they are applied. Raises StackError."""
        self._folder.mkdir(exist_ok=True)
        (self._folder / "kustomization.yaml").write_text(json.dumps(self._kustomization(components)))
        return list(yaml.safe_load_all(render(str(self._folder))))

    def get(self, kind: str, name: str = "") -> Object:
        """The object of that name, or the only one of that kind. Raises StackError when there is none."""
        for each in self.objects():
            if each["kind"] == kind and name in ("", each["metadata"]["name"]):
                return each
        raise StackError(f"k8s/ has no {kind} {name}")

    def container(self, part: Part) -> Object:
        """The part's own container, as its Deployment has it."""
        found: Object = self.get("Deployment", part)["spec"]["template"]["spec"]["containers"][0]
        return found

    def _kustomization(self, components: Iterable[str]) -> Object:
        settings = {name: value for name, value in self._environment.items() if name != "FAULTS_ENABLED"}
        faults = ["faults-enabled"] if self._environment.get("FAULTS_ENABLED") == "1" else []
        return {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [self._relative(K8S)],
            "components": [self._relative(K8S / "components" / each) for each in (*faults, *components)],
            "configMapGenerator": [_merged(f"{service}-settings", settings) for service in SERVICES]
            if settings
            else [],
        }

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._folder.resolve())  # kustomize takes no absolute one


def program(name: str) -> Object:
    """The ConfigMap with a package of `stack`, which a container runs: a kustomization takes no files from outside."""
    code = {file.name: file.read_text() for file in sorted((REPOSITORY / "stack" / name).glob("*.py"))}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": code}


def _merged(name: str, settings: Mapping[str, str]) -> Object:
    literals = [f"{key}={value}" for key, value in settings.items()]
    return {"name": name, "namespace": NAMESPACE, "behavior": "merge", "literals": literals}
