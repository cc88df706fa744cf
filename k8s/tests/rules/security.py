"""What a pod may do: Pod Security `restricted`, and what goes beyond it."""

import re
from collections.abc import Iterator

from api.settings import ApiSettings
from k8s.tests.rules.manifest import Manifest, Object, Pod, name
from k8s.tests.rules.server import settings_of

# With image, which admission allows since 1.33 (kubernetes#130394) and that page doesn't list yet (website#55370).
VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected"),
    "secret",
}
THROWAWAY = "warmstart/password"  # the label that says so
CREDENTIALS = re.compile(r"://[^/\s]*:[^/\s]+@")
# TOKEN_IDS, MAX_QUEUE_TOKENS and CHAT_TOKEN_TIMEOUT are about the tokens of a text; SECRETS_FROM names a vault.
SECRET_NAME = re.compile(
    r"PASSWORD|SECRET(?!S_(?:FROM|TIMEOUT)$)|TOKEN(?!_IDS|_TIMEOUT$|S$)|API_KEY|OPERATOR_KEYS|REDISCLI_AUTH"
)


def namespace_enforces_restricted(manifest: Manifest) -> Iterator[str]:
    """So that nothing less confined can be added later."""
    for each in manifest.of("Namespace"):
        if each["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{name(each)}: needs the label pod-security.kubernetes.io/enforce: restricted"
    if not manifest.get("Namespace", "warmstart"):
        yield "there is no Namespace warmstart"


def everything_is_in_the_namespace(manifest: Manifest) -> Iterator[str]:
    """What isn't would land wherever kubectl happens to point."""
    for each in manifest.objects:
        if each["kind"] != "Namespace" and each["metadata"].get("namespace") != "warmstart":
            yield f"{name(each)}: is in namespace {each['metadata'].get('namespace')}"


def pods_are_restricted(manifest: Manifest) -> Iterator[str]:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, as of 1.36."""
    for pod in manifest.pods:
        found = [*_pod_violations(pod.spec), *(what for each in pod.containers for what in _violations(pod, each))]
        for wrong in found:
            yield f"{pod}: Pod Security restricted forbids it: {wrong}"


def _pod_violations(spec: Object) -> Iterator[str]:
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key))
    for volume in spec.get("volumes", []):
        if not VOLUMES & volume.keys():
            yield f"volume {volume['name']} of type {[key for key in volume if key != 'name']}"
    if spec.get("securityContext", {}).get("sysctls"):
        yield "sysctls"


def _violations(pod: Pod, container: Object) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**pod.spec.get("securityContext", {}), **own}
    drops = own.get("capabilities", {}).get("drop", [])
    wrong = {
        "privileged": own.get("privileged"),
        "allowPrivilegeEscalation is not false": own.get("allowPrivilegeEscalation") is not False,
        "capabilities are not all dropped": "ALL" not in drops,
        "capabilities are added": set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"},
        "runAsNonRoot is not true": both.get("runAsNonRoot") is not True,
        "runAsUser 0": both.get("runAsUser") == 0,
        "no seccomp profile": both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"),
        "hostPort": any(port.get("hostPort") for port in container.get("ports", [])),
        "procMount": own.get("procMount", "Default") != "Default",
    }
    yield from (f"{what} ({container['name']})" for what, is_so in wrong.items() if is_so)


def user_and_group_are_fixed(manifest: Manifest) -> Iterator[str]:
    """An image's `USER uid:gid` alone ran as gid 0 on a real node."""
    for pod in manifest.pods:
        for container in pod.containers:
            both = {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}
            for key in ("runAsUser", "runAsGroup"):
                if not both.get(key):
                    yield f"{pod}: {container['name']} has no {key} above 0"


def root_file_system_is_read_only(manifest: Manifest) -> Iterator[str]:
    """What breaks in leaves nothing; the services write to /dev/shm only."""
    for pod in manifest.pods:
        for container in pod.containers:
            if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
                yield f"{pod}: {container['name']} can write to its root file system"


def no_pod_can_talk_to_the_cluster(manifest: Manifest) -> Iterator[str]:
    """None needs the API server's token, nor the addresses of all Services in its environment."""
    for pod in manifest.pods:
        for key in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod.spec.get(key) is not False:
                yield f"{pod}: {key} must be false"


def every_container_is_bounded(manifest: Manifest) -> Iterator[str]:
    """Without requests it is scheduled blindly, without limits it takes its neighbours' share."""
    for pod in manifest.pods:
        for container in pod.containers:
            resources = container.get("resources", {})
            for kind in ("requests", "limits"):
                missing = {"cpu", "memory"} - resources.get(kind, {}).keys()
                if missing:
                    yield f"{pod}: {container['name']} has no {kind} of {', '.join(sorted(missing))}"


def images_have_versions(manifest: Manifest) -> Iterator[str]:
    """`latest` is another image tomorrow; and images that are loaded into the node must not be pulled."""
    for pod in manifest.pods:
        found = [(each["name"], each["image"], each.get("imagePullPolicy")) for each in pod.containers]
        volumes = [each for each in pod.spec.get("volumes", []) if "image" in each]
        found += [(each["name"], each["image"]["reference"], each["image"].get("pullPolicy")) for each in volumes]
        for what, image, pull in found:
            if image.rsplit("/", 1)[-1].partition(":")[2] in ("", "latest"):
                yield f"{pod}: image {image} has no version"
            if pull != "IfNotPresent":
                yield f"{pod}: imagePullPolicy of {what} must be IfNotPresent"


def secrets_are_references(manifest: Manifest) -> Iterator[str]:
    """A password in a manifest is in every clone of the repository; the local overlay's are labelled as throwaway."""
    for each in manifest.of("Secret"):
        filled = each.get("data") or each.get("stringData")
        if filled and each["metadata"].get("labels", {}).get(THROWAWAY) != "throwaway":
            yield f"{name(each)}: holds secrets in plain text and is not labelled {THROWAWAY}: throwaway"
    for where, key, value in _texts(manifest):
        named_so = value and SECRET_NAME.search(key) and not key.endswith("_FILE")
        if named_so or CREDENTIALS.search(value):
            yield f"{where}: {key} is a secret in plain text"


def _texts(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    for each in manifest.of("ConfigMap"):
        yield from ((name(each), key, value) for key, value in each.get("data", {}).items())
    for pod in manifest.pods:
        for container in pod.containers:
            yield from ((str(pod), each["name"], each.get("value", "")) for each in container.get("env", []))


def production_is_closed(manifest: Manifest) -> Iterator[str]:
    """In production callers need a key, also those of the worker; faults are off, no throwaway password is there."""
    for pod in manifest.services:
        environment = manifest.environment(pod)
        settings = settings_of(pod.image, {**environment, "FAULTS_ENABLED": "0"})
        if settings.environment != "production":
            continue
        if isinstance(settings, ApiSettings) and not settings.keys():
            yield f"{pod}: ENVIRONMENT=production without API_KEYS_FILE: /v1 would be open to everybody"
        if "WORKER_SECRET" not in {each["name"] for each in pod.main.get("env", []) if "valueFrom" in each}:
            yield f"{pod}: ENVIRONMENT=production without WORKER_SECRET: any pod that reaches the worker could use it"
        if environment.get("FAULTS_ENABLED", "0") != "0":
            yield f"{pod}: FAULTS_ENABLED with ENVIRONMENT=production: the service refuses to start"
        for secret in manifest.of("Secret"):
            yield f"{pod}: ENVIRONMENT=production with {name(secret)} among the manifests"


RULES = (
    namespace_enforces_restricted,
    everything_is_in_the_namespace,
    pods_are_restricted,
    user_and_group_are_fixed,
    root_file_system_is_read_only,
    no_pod_can_talk_to_the_cluster,
    every_container_is_bounded,
    images_have_versions,
    secrets_are_references,
    production_is_closed,
)
