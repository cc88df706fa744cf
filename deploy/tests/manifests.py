"""The manifests, read alike whichever platform they are for."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from k8s.tests.rules.manifest import quantity
from stack.site import REPOSITORY
from warmstart.settings.secret_files import SUFFIX

Object = dict[str, Any]

FOLDER = REPOSITORY / "deploy"
AZURE, CLOUD_RUN = "azure-container-apps", "cloud-run"
CLOUD_RUN_GRACE = 10  # from SIGTERM to SIGKILL; nothing sets it (docs/platforms.md)
AZURE_REQUEST = 240  # seconds of a request, which nothing sets either


@dataclass(frozen=True)
class Probe:
    """Seconds, but for the path, the port and the threshold."""

    path: str
    port: int
    delay: float
    period: float
    timeout: float
    threshold: int

    @property
    def budget(self) -> float:
        """How long a container may fail it from its start on: the last failure counts, and no period follows it."""
        return self.delay + self.period * (self.threshold - 1)


@dataclass(frozen=True)
class Container:
    """The only one of a service or a job.

    `files` are those that its secrets are mounted as; `versions` are those of the secrets that its variables come from.
    """

    where: str
    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    files: frozenset[str]
    versions: dict[str, str]

    @property
    def settings(self) -> dict[str, str]:
        """The environment to read settings from: a value that a variable refers to is as unknown as a file's."""
        return self.environment | {name + SUFFIX: "a reference" for name in self.versions}

    def __str__(self) -> str:
        return self.where


@dataclass(frozen=True)
class Service(Container):
    """`grace` is seconds from SIGTERM to SIGKILL, `request` those of one request; `least` and `most` are instances."""

    port: int
    probes: dict[str, Probe]
    grace: float
    request: float
    cpus: float
    least: int
    most: int
    public: bool


@dataclass(frozen=True)
class Job(Container):
    """`limit` is the seconds of one attempt."""

    limit: float


def paths() -> list[str]:
    """Every manifest, relative to `deploy`."""
    return sorted(
        f"{platform}/{path.name}" for platform in (AZURE, CLOUD_RUN) for path in (FOLDER / platform).iterdir()
    )


def read(path: str) -> Object:
    """One manifest."""
    found: Object = yaml.safe_load((FOLDER / path).read_text())
    return found


def parsed(path: str, manifest: Object) -> Service | Job:
    """What a manifest declares."""
    return _azure(path, manifest) if path.startswith(AZURE) else _cloud_run(path, manifest)


def _azure(path: str, manifest: Object) -> Service | Job:
    configuration, template = manifest["properties"]["configuration"], manifest["properties"]["template"]
    [container] = template["containers"]
    declared = {each["name"] for each in configuration["secrets"]}
    volumes = {
        each["name"]: [one["path"] for one in each["secrets"] if one["secretRef"] in declared]
        for each in template["volumes"]
    }
    mounts = {each["mountPath"]: volumes[each["volumeName"]] for each in container["volumeMounts"]}
    common = _common(path, container, mounts)
    if manifest["type"].endswith("/jobs"):
        return Job(**common, limit=configuration["replicaTimeout"])
    return Service(
        **common,
        port=configuration["ingress"]["targetPort"],
        probes={each["type"].lower(): _probe(each) for each in container["probes"]},
        grace=template["terminationGracePeriodSeconds"],
        request=AZURE_REQUEST,
        cpus=container["resources"]["cpu"],
        least=template["scale"]["minReplicas"],
        most=template["scale"]["maxReplicas"],
        public=configuration["ingress"]["external"],
    )


def _cloud_run(path: str, manifest: Object) -> Service | Job:
    template = manifest["spec"]["template"]
    spec = template["spec"]["template"]["spec"] if manifest["kind"] == "Job" else template["spec"]
    [container] = spec["containers"]
    volumes = {each["name"]: [one["path"] for one in each["secret"]["items"]] for each in spec.get("volumes", [])}
    mounts = {each["mountPath"]: volumes[each["name"]] for each in container.get("volumeMounts", [])}
    common = _common(path, container, mounts)
    if manifest["kind"] == "Job":
        return Job(**common, limit=spec["timeoutSeconds"])
    service, revision = (each["metadata"]["annotations"] for each in (manifest, template))
    return Service(
        **common,
        port=container["ports"][0]["containerPort"],
        probes={kind: _probe(container[f"{kind}Probe"]) for kind in ("startup", "readiness", "liveness")},
        grace=CLOUD_RUN_GRACE,
        request=spec["timeoutSeconds"],
        cpus=quantity(container["resources"]["limits"]["cpu"]),
        least=int(service["run.googleapis.com/minScale"]),
        most=int(revision["autoscaling.knative.dev/maxScale"]),
        public=service["run.googleapis.com/ingress"] != "internal",
    )


def _common(path: str, container: Object, mounts: dict[str, list[str]]) -> Object:
    return {
        "where": path,
        "image": str(container["image"]).rsplit("/", 1)[-1].partition(":")[0],
        "command": tuple(container.get("command", ())),
        "environment": {each["name"]: each["value"] for each in container["env"] if "value" in each},
        "versions": {
            each["name"]: each["valueFrom"]["secretKeyRef"]["key"] for each in container["env"] if "valueFrom" in each
        },
        "files": frozenset(str(PurePosixPath(folder, name)) for folder, names in mounts.items() for name in names),
    }


def _probe(found: Object) -> Probe:
    return Probe(
        path=found["httpGet"]["path"],
        port=found["httpGet"]["port"],
        delay=found.get("initialDelaySeconds", 0),
        period=found["periodSeconds"],
        timeout=found["timeoutSeconds"],
        threshold=found["failureThreshold"],
    )
