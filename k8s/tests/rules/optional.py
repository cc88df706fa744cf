"""What components add that only some clusters need: zones, user namespaces."""

from collections.abc import Iterator

from k8s.tests.rules.manifest import Manifest, matches, name

# PreferClose is the same as PreferSameZone and deprecated (KEP-3015); the schemas allow any text.
NEAR = {"PreferSameZone": "topology.kubernetes.io/zone", "PreferSameNode": "kubernetes.io/hostname"}
USERS = 65536  # of a pod's user namespace


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


RULES = (
    near_pods_are_everywhere,
    users_fit_into_a_user_namespace,
)
