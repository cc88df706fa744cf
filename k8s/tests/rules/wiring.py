"""What names what, and that it is there."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from k8s.tests.rules.manifest import Manifest, Pod, matches, name
from k8s.tests.rules.server import CLASSES, settings_of
from warmstart.settings.secret_files import SUFFIX, is_secret

EXTERNAL_SECRETS = {"warmstart"}  # where an overlay leaves making it to the user
EXTERNAL_KEYS = ("api-keys", "database-url", "redis-url")  # that it must have, says overlays/production
NEXT_WORKER = "http://worker-next:8001"  # in the component of that name
REINDEX = "reindex"  # the same, and its Job
LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
FROM_THE_IMAGE = {"GUNICORN_CMD_ARGS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}  # read by others than the settings


def deployments_find_their_pods(manifest: Manifest) -> Iterator[str]:
    """The API server refuses a Deployment whose selector doesn't match its template."""
    for each in manifest.of("Deployment"):
        if not matches(each["spec"]["selector"], each["spec"]["template"]["metadata"]["labels"]):
            yield f"{name(each)}: its selector doesn't match its own pods"


def services_find_pods_and_ports(manifest: Manifest) -> Iterator[str]:
    """A Service that matches nothing has an address and no answer."""
    for each in manifest.of("Service"):
        chosen = [pod for pod in manifest.pods if matches({"matchLabels": each["spec"]["selector"]}, pod.labels)]
        if len(chosen) != 1:
            yield f"{name(each)}: selects the pods of {[str(pod) for pod in chosen]}, not of one workload"
        for port in each["spec"]["ports"]:
            offered = {wanted for pod in chosen for wanted in _ports(pod)}
            if port["targetPort"] not in offered:
                yield f"{name(each)}: port {port['targetPort']} is none of {sorted(map(str, offered))}"


def _ports(pod: Pod) -> Iterator[str | int]:
    for port in pod.main.get("ports", []):
        yield from (port["name"], port["containerPort"])


def budgets_and_policies_find_pods(manifest: Manifest) -> Iterator[str]:
    """One that selects nothing protects nothing, and nobody notices."""
    selectors = [(each, each["spec"]["selector"]) for each in manifest.of("PodDisruptionBudget")]
    selectors += [(each, each["spec"]["podSelector"]) for each in manifest.of("NetworkPolicy")]
    for each, selector in selectors:
        if not any(matches(selector, pod.labels) for pod in manifest.pods):
            yield f"{name(each)}: selects no pod"


def what_pods_name_is_there(manifest: Manifest) -> Iterator[str]:
    """A missing ConfigMap, Secret or ServiceAccount leaves a pod waiting for ever."""
    for pod in manifest.pods:
        for kind, called in _references(pod):
            if not manifest.get(kind, called) and not (kind == "Secret" and called in EXTERNAL_SECRETS):
                yield f"{pod}: {kind}/{called} isn't there"


def _references(pod: Pod) -> Iterator[tuple[str, str]]:
    if account := pod.spec.get("serviceAccountName"):
        yield "ServiceAccount", account
    for volume in pod.spec.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
    for container in pod.containers:
        for source in container.get("envFrom", []):
            yield from (("ConfigMap", each["name"]) for key, each in source.items() if key == "configMapRef")
            yield from (("Secret", each["name"]) for key, each in source.items() if key == "secretRef")


def volumes_are_mounted(manifest: Manifest) -> Iterator[str]:
    """The API server refuses a mount without its volume; a volume without mount is a mistake too."""
    for pod in manifest.pods:
        mounted = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", [])}
        declared = {volume["name"] for volume in pod.spec.get("volumes", [])}
        if mounted != declared:
            yield f"{pod}: volumes {sorted(declared)}, mounted are {sorted(mounted)}"


def every_variable_is_a_setting(manifest: Manifest) -> Iterator[str]:
    """A name that the settings class doesn't have is ignored without a word; a bad value ends the start."""
    for pod in (each for each in manifest.pods if each.image in CLASSES):
        environment = manifest.environment(pod)
        fields = {key.upper() for key in CLASSES[pod.image].model_fields}
        for variable in environment.keys() - FROM_THE_IMAGE:
            if not {variable, variable.removesuffix(SUFFIX)} & fields:
                yield f"{pod}: {variable} is no setting of {pod.image}"
        try:
            settings_of(pod.image, environment)
        except ValidationError as error:
            yield from (f"{pod}: {each['loc']}: {each['msg']}" for each in error.errors(include_input=False))
        except ValueError as error:
            yield f"{pod}: {error}"


def secret_files_are_mounted(manifest: Manifest) -> Iterator[str]:
    """`NAME_FILE` names a key of a Secret that is mounted; a missing file ends the start."""
    for pod in (each for each in manifest.pods if each.image in CLASSES):
        environment = manifest.environment(pod)
        for key, field in CLASSES[pod.image].model_fields.items():
            path = environment.get(key.upper() + SUFFIX)
            if path and is_secret(field) and Path(path).name not in _mounted(manifest, pod, Path(path).parent):
                yield f"{pod}: {key.upper()}{SUFFIX} names {path}, which no mounted Secret has"


def _mounted(manifest: Manifest, pod: Pod, folder: Path) -> Collection[str]:
    """Keys of the Secret mounted at a folder; of one that the user makes, those that its users document."""
    volumes = [each["name"] for each in pod.main.get("volumeMounts", []) if Path(each["mountPath"]) == folder]
    for volume in (each for each in pod.spec.get("volumes", []) if each["name"] in volumes and "secret" in each):
        secret = manifest.get("Secret", volume["secret"]["secretName"])
        return {*secret.get("data", {}), *secret.get("stringData", {})} if secret else EXTERNAL_KEYS
    return ()


def the_api_finds_the_worker(manifest: Manifest) -> Iterator[str]:
    """WORKER_URL names a Service of the same namespace, with its port."""
    for pod in _callers(manifest):
        url = urlsplit(manifest.environment(pod).get("WORKER_URL", ""))
        service = manifest.get("Service", url.hostname or "")
        if not service or url.port not in {port["port"] for port in service["spec"]["ports"]}:
            yield f"{pod}: WORKER_URL {url.geturl()!r} is no Service with that port"


def the_api_finds_the_next_worker(manifest: Manifest) -> Iterator[str]:
    """Before it is there, too: a replacement of the model needs no restart of the api."""
    for pod in _callers(manifest):
        if manifest.environment(pod).get("NEXT_WORKER_URL") != NEXT_WORKER:
            yield f"{pod}: NEXT_WORKER_URL is not {NEXT_WORKER}"
        service = manifest.get("Service", urlsplit(NEXT_WORKER).hostname or "")
        if service and urlsplit(NEXT_WORKER).port not in {port["port"] for port in service["spec"]["ports"]}:
            yield f"{pod}: NEXT_WORKER_URL {NEXT_WORKER} is no port of {name(service)}"


def _callers(manifest: Manifest) -> Iterator[Pod]:
    """What calls workers: the api, and the Job that fills the space of another model."""
    return (each for each in manifest.pods if each.image == "warmstart-api" and each.name in ("api", REINDEX))


def the_migration_is_a_job_of_its_version(manifest: Manifest) -> Iterator[str]:
    """A Job's template can't be changed: with another tag under the same name `kubectl apply` fails."""
    images = {pod.main["image"] for pod in manifest.services if pod.image == "warmstart-api"}
    jobs = [pod for pod in manifest.pods if pod.owner["kind"] == "Job" and pod.name != REINDEX]
    if len(jobs) != 1:
        yield f"there must be one migration Job, not {len(jobs)}"
    for pod in jobs:
        tag = pod.main["image"].rsplit("/", 1)[-1].partition(":")[2]
        if pod.owner["metadata"]["name"] != f"migrate-{tag.replace('.', '-')}":
            yield f"{pod}: must be called migrate-{tag.replace('.', '-')}, after its image"
        if {pod.main["image"]} != images:
            yield f"{pod}: runs {pod.main['image']}, the api is {', '.join(images)}"
        if pod.owner["spec"].get("ttlSecondsAfterFinished") is not None:
            yield f"{pod}: once its time is over, the next apply would make it anew"


def pods_can_be_called_after_their_owners(manifest: Manifest) -> Iterator[str]:
    """A host name is a DNS label: with a dot in a Job's name the API server warns, and cuts the pods' host names."""
    for pod in manifest.pods:
        if not LABEL.fullmatch(pod.owner["metadata"]["name"]):
            yield f"{pod}: its name is no DNS label"


def the_migration_names_nothing_that_changes(manifest: Manifest) -> Iterator[str]:
    """A ConfigMap's name ends with a hash of its content: a changed setting would change the Job, which can't be."""
    for pod in (each for each in manifest.pods if each.owner["kind"] == "Job"):
        for kind, called in _references(pod):
            if kind == "ConfigMap" or (kind == "Secret" and called not in EXTERNAL_SECRETS):
                yield f"{pod}: names {kind}/{called}, whose name changes with its content"


def all_migrations_are_the_apis(manifest: Manifest) -> Iterator[str]:
    """One of another release would make a schema that the api refuses."""
    images = {pod.main["image"] for pod in manifest.services if pod.image == "warmstart-api"}
    for pod in manifest.pods:
        for container in pod.containers:
            if "api.migrate" in " ".join(container.get("command", [])) and {container["image"]} != images:
                yield f"{pod}: {container['name']} migrates with {container['image']}, the api is {', '.join(images)}"


def reindexing_is_the_apis(manifest: Manifest) -> Iterator[str]:
    """One of another release may know another schema, or cut texts elsewhere."""
    images = {pod.main["image"] for pod in manifest.services if pod.image == "warmstart-api"}
    for pod in (each for each in manifest.pods if each.name == REINDEX):
        if {pod.main["image"]} != images:
            yield f"{pod}: runs {pod.main['image']}, the api is {', '.join(images)}"


def stores_that_forget_make_their_schema(manifest: Manifest) -> Iterator[str]:
    """A new pod of Postgres is empty, and the Job doesn't run again: the pod is not ready before it has migrated."""
    for pod in (each for each in manifest.pods if each.image == "pgvector"):
        forgets = any("emptyDir" in volume for volume in pod.spec["volumes"] if volume["name"] == "data")
        migrates = [each for each in pod.containers if "api.migrate" in " ".join(each.get("command", []))]
        if forgets and not any("readinessProbe" in each for each in migrates):
            yield f"{pod}: loses its schema with its pod, and no container makes it before the pod is ready"


RULES = (
    deployments_find_their_pods,
    services_find_pods_and_ports,
    budgets_and_policies_find_pods,
    what_pods_name_is_there,
    volumes_are_mounted,
    every_variable_is_a_setting,
    secret_files_are_mounted,
    the_api_finds_the_worker,
    the_api_finds_the_next_worker,
    the_migration_is_a_job_of_its_version,
    pods_can_be_called_after_their_owners,
    the_migration_names_nothing_that_changes,
    all_migrations_are_the_apis,
    reindexing_is_the_apis,
    stores_that_forget_make_their_schema,
)
