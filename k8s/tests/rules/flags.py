"""The file of feature flags: it reaches running pods, and a service can read it."""

import re
from collections.abc import Iterator
from pathlib import Path

from api.flags import ApiFlags
from k8s.tests.rules.manifest import Manifest, Object, Pod
from warmstart.flags.text import parse

HASHED = re.compile(r"-[a-z0-9]{10}")  # the end that kustomize gives the names of what it generates


def flags_reach_running_pods(manifest: Manifest) -> Iterator[str]:
    """A file that is mounted alone never changes, and one of a ConfigMap with a hash in its name by a rollout."""
    for pod, path in _files(manifest):
        mount, config = _mounted(manifest, pod, path)
        if not mount or not config:
            yield f"{pod}: FLAGS_FILE names {path}, which no mounted ConfigMap has"
        elif mount.get("subPath"):
            yield f"{pod}: {path} is mounted with subPath, and never changes"
        elif HASHED.fullmatch(config["metadata"]["name"][-11:]):
            yield f"{pod}: ConfigMap/{config['metadata']['name']} has another name after each change"


def flags_can_be_read(manifest: Manifest) -> Iterator[str]:
    """A bad file ends each start, and a flag that nothing reads turns nothing."""
    for pod, path in _files(manifest):
        _, config = _mounted(manifest, pod, path)
        try:
            read = parse((config or {}).get("data", {}).get(path.name, "{}").encode(), ApiFlags())
        except ValueError as error:
            yield f"{pod}: {path.name}: {error}"
        else:
            yield from (f"{pod}: {path.name}: nothing reads {each}" for each in read.unknown)


def _files(manifest: Manifest) -> Iterator[tuple[Pod, Path]]:
    for pod in manifest.services:
        if path := manifest.environment(pod).get("FLAGS_FILE"):
            yield pod, Path(path)


def _mounted(manifest: Manifest, pod: Pod, path: Path) -> tuple[Object | None, Object | None]:
    """The mount and the ConfigMap that have the file."""
    volumes = {each["name"]: each for each in pod.spec.get("volumes", [])}
    for mount in pod.main.get("volumeMounts", []):
        source = volumes.get(mount["name"], {}).get("configMap", {})
        config = manifest.get("ConfigMap", source.get("name", ""))
        if config and path.name in config["data"] and Path(mount["mountPath"]) in (path, path.parent):
            return mount, config
    return None, None


RULES = (flags_reach_running_pods, flags_can_be_read)
