"""What an overlay renders to, as the rules look at it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def name(found: Object) -> str:
    """As kubectl writes it: `Deployment/api`."""
    return f"{found['kind']}/{found['metadata']['name']}"


@dataclass(frozen=True)
class Pod:
    """The pods of one workload."""

    owner: Object

    @property
    def name(self) -> str:
        """The label that selectors go by."""
        return str(self.labels.get("app.kubernetes.io/name"))

    @property
    def template(self) -> Object:
        """Metadata and spec."""
        found: Object = self.owner["spec"]["template"]
        return found

    @property
    def spec(self) -> Object:
        """Of the pod."""
        found: Object = self.template["spec"]
        return found

    @property
    def labels(self) -> Mapping[str, str]:
        """Of the pod."""
        found: Mapping[str, str] = self.template["metadata"].get("labels", {})
        return found

    @property
    def containers(self) -> list[Object]:
        """Those that initialise first."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def main(self) -> Object:
        """The container that the pod is for."""
        found: Object = self.spec["containers"][0]
        return found

    @property
    def image(self) -> str:
        """Of the main container, without registry and tag; worker-next has the worker's, with another model in it."""
        return str(self.main["image"]).rsplit("/", 1)[-1].partition(":")[0].removesuffix("-next")

    def __str__(self) -> str:
        return name(self.owner)


@dataclass(frozen=True)
class Manifest:
    """All objects of one rendering."""

    objects: list[Object]

    def of(self, kind: str) -> list[Object]:
        """Those of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def get(self, kind: str, called: str) -> Object | None:
        """The object of that name, if there is one."""
        return next((each for each in self.of(kind) if each["metadata"]["name"] == called), None)

    @property
    def pods(self) -> list[Pod]:
        """Of every workload."""
        return [Pod(each) for kind in TEMPLATES for each in self.of(kind)]

    @property
    def services(self) -> Iterator[Pod]:
        """Pods of ours that serve; what runs another program of an image doesn't."""
        deployed = (each for each in self.pods if each.owner["kind"] == "Deployment")
        return (each for each in deployed if each.image.startswith("warmstart-") and "command" not in each.main)

    def environment(self, pod: Pod) -> dict[str, str]:
        """What the main container gets, values from secrets left out."""
        return self.environment_of(pod.main)

    def environment_of(self, container: Object) -> dict[str, str]:
        """What a container gets, values from secrets left out."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            config = self.get("ConfigMap", source.get("configMapRef", {}).get("name", ""))
            found |= (config or {}).get("data", {})
        return found | {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}

    def scaler(self, pod: Pod) -> Object | None:
        """The autoscaler of a workload: Kubernetes' own, or KEDA's."""
        wanted = {"kind": pod.owner["kind"], "name": pod.owner["metadata"]["name"]}
        for each in (*self.of("HorizontalPodAutoscaler"), *self.of("ScaledObject")):
            if wanted.items() <= each["spec"]["scaleTargetRef"].items():
                return each
        return None

    def replicas(self, pod: Pod) -> tuple[int, int]:
        """The least and the most that there will be."""
        if scaler := self.scaler(pod):
            spec, keda = scaler["spec"], scaler["kind"] == "ScaledObject"
            least, most = ("minReplicaCount", "maxReplicaCount") if keda else ("minReplicas", "maxReplicas")
            return spec.get(least, 0 if keda else 1), spec[most]
        fixed = pod.owner["spec"].get("replicas", 1)
        return fixed, fixed


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses something with these labels; the empty one chooses everything."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    return wanted.items() <= labels.items() and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"] for each in expressions
    )


def quantity(text: str | float) -> float:
    """A Kubernetes quantity as a number: CPUs, or bytes."""
    units = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
    number = str(text)
    for unit in sorted(units, key=len, reverse=True):
        if number.endswith(unit):
            return float(number.removesuffix(unit)) * units[unit]
    return float(number)
