"""What components add that only some clusters need: zones, user namespaces, a model in an image of its own."""

import re
from collections.abc import Iterator

from k8s.tests.rules.manifest import Manifest, matches, name
from stack.site import REPOSITORY

# PreferClose is the same as PreferSameZone and deprecated (KEP-3015); the schemas allow any text.
NEAR = {"PreferSameZone": "topology.kubernetes.io/zone", "PreferSameNode": "kubernetes.io/hostname"}
USERS = 65536  # of a pod's user namespace
# Start with what they may use then, and keep threads for it: `worker.cpu` counts them once.
RESIZERS = ("StartupCPUBoost", "VerticalPodAutoscaler")


def near_pods_are_everywhere(manifest: Manifest) -> Iterator[str]:
    """A zone's clients share that zone's pods: with one pod in a zone and three in another, the one gets half."""
    for each in manifest.of("Service"):
        wanted = each["spec"].get("trafficDistribution")
        if wanted and wanted not in NEAR:
            yield f"{name(each)}: trafficDistribution {wanted} is none of {', '.join(NEAR)}"
            continue
        chosen = [pod for pod in manifest.pods if matches({"matchLabels": each["spec"]["selector"]}, pod.labels)]
        for pod in chosen if wanted else ():
            keys = {each["topologyKey"] for each in pod.spec.get("topologySpreadConstraints", [])}
            if NEAR[wanted] not in keys:
                yield f"{name(each)}: {wanted}, but {pod} is not spread over {NEAR[wanted]}"


def users_fit_into_a_user_namespace(manifest: Manifest) -> Iterator[str]:
    """It has 65,536 users, and belongs to all containers of all pods or it hides little."""
    apart = [pod for pod in manifest.pods if pod.spec.get("hostUsers") is False]
    for pod in manifest.pods if apart else ():
        if pod not in apart:
            yield f"{pod}: has the node's users, other pods their own"
        for source in (pod.spec, *pod.containers):
            for key in ("runAsUser", "runAsGroup", "fsGroup"):
                number = source.get("securityContext", {}).get(key, 0)
                if number >= USERS:
                    yield f"{pod}: {key} {number} is not among the {USERS} of its user namespace"


def artifacts_are_where_the_worker_looks(manifest: Manifest) -> Iterator[str]:
    """Anywhere else they are ignored, and the model of the worker's own image is served."""
    for pod in manifest.services:
        volumes = {each["name"] for each in pod.spec.get("volumes", []) if "image" in each}
        folder = manifest.environment(pod).get("ARTIFACTS") or _in_the_image(pod.image)
        for mount in pod.main.get("volumeMounts", []):
            if mount["name"] in volumes and mount["mountPath"] != folder:
                yield f"{pod}: an image is mounted at {mount['mountPath']}, artifacts are looked for in {folder}"


def _in_the_image(image: str) -> str | None:
    dockerfile = REPOSITORY / "services" / image.removeprefix("warmstart-") / "Dockerfile"
    found = re.findall(r"^ENV .*\bARTIFACTS=(\S+)", dockerfile.read_text(), flags=re.MULTILINE)
    return found[-1] if found else None


def threads_follow_the_steady_quota(manifest: Manifest) -> Iterator[str]:
    """The model has a thread for each CPU of the quota that a start finds: after a boost they would be throttled."""
    for each in (found for kind in RESIZERS for found in manifest.of(kind)):
        yield f"{name(each)}: changes the quota of running pods, whose threads were counted at the start"
    for pod in manifest.services:
        for rule in pod.main.get("resizePolicy", []):
            if rule["resourceName"] == "cpu" and rule["restartPolicy"] != "RestartContainer":
                yield f"{pod}: a resize of its CPUs must restart the container, or threads no longer fit the quota"


RULES = (
    near_pods_are_everywhere,
    users_fit_into_a_user_namespace,
    artifacts_are_where_the_worker_looks,
    threads_follow_the_steady_quota,
)
