"""Replicas, CPUs and connections."""

from collections.abc import Iterator

from k8s.tests.budgets import budgets
from k8s.tests.rules.manifest import Manifest, Pod, matches, name, quantity
from k8s.tests.rules.server import server_of

MAX_CONNECTIONS = 100  # Postgres' default
SUPERUSER_CONNECTIONS = 3  # of them; its superuser_reserved_connections


def cpu_limit_is_the_model_threads(manifest: Manifest) -> Iterator[str]:
    """The worker runs as many model threads as its quota has whole CPUs: a fraction of one would lie idle."""
    for pod in manifest.services:
        limit = quantity(pod.main["resources"]["limits"].get("cpu", 0))
        if limit < 1 or limit % 1:
            yield f"{pod}: a CPU limit of {limit:g}: threads are whole CPUs"
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            threads = manifest.environment(pod).get(variable)
            if threads and float(threads) != limit:
                yield f"{pod}: {variable}={threads} with a CPU limit of {limit:g}: throttled, or idle CPUs"


def requests_are_within_limits(manifest: Manifest) -> Iterator[str]:
    """The API server refuses anything else."""
    for pod in manifest.pods:
        for container in pod.containers:
            limits = container.get("resources", {}).get("limits", {})
            for kind, amount in container.get("resources", {}).get("requests", {}).items():
                if kind in limits and quantity(amount) > quantity(limits[kind]):
                    yield f"{pod}: {container['name']} requests {amount} of {kind}, above its limit of {limits[kind]}"


def requests_cover_what_is_used(manifest: Manifest) -> Iterator[str]:
    """A pod that uses more than it asked for is the first to go when its node runs out of memory."""
    for pod in manifest.services:
        asked, used = quantity(pod.main["resources"]["requests"].get("memory", 0)), budgets().memory[pod.image] * 2**20
        if asked < used:
            yield f"{pod}: requests {asked / 2**20:g} MiB of memory, but uses {used / 2**20:g} under load"


def budgets_let_a_node_be_drained(manifest: Manifest) -> Iterator[str]:
    """With as many pods as there will be at least, one may go, and not all at once when there are several."""
    for each in manifest.of("PodDisruptionBudget"):
        for pod in manifest.pods:
            if not matches(each["spec"]["selector"], pod.labels):
                continue
            least, _ = manifest.replicas(pod)
            unavailable = each["spec"].get("maxUnavailable", least - each["spec"].get("minAvailable", 0))
            if unavailable < 1:
                yield f"{name(each)}: with {least} replicas of {pod} no node could be drained"
            if least > 1 and unavailable >= least:
                yield f"{name(each)}: lets all {least} replicas of {pod} go at once"


def services_have_a_disruption_budget(manifest: Manifest) -> Iterator[str]:
    """Else draining two nodes takes all replicas."""
    for pod in manifest.services:
        if not any(matches(each["spec"]["selector"], pod.labels) for each in manifest.of("PodDisruptionBudget")):
            yield f"{pod}: has no PodDisruptionBudget"


def replicas_are_the_autoscalers(manifest: Manifest) -> Iterator[str]:
    """With `replicas` in the Deployment, each apply would undo what the autoscaler did."""
    for pod in manifest.services:
        scaler = manifest.scaler(pod)
        if not scaler:
            yield f"{pod}: has no HorizontalPodAutoscaler, and no ScaledObject"
        elif "replicas" in pod.owner["spec"]:
            yield f"{pod}: has replicas beside a {scaler['kind']}"


def autoscalers_can_work(manifest: Manifest) -> Iterator[str]:
    """A target, a range, and a CPU figure that pods can reach before their limit stops them."""
    for each in manifest.of("HorizontalPodAutoscaler"):
        pod = next((pod for pod in manifest.pods if manifest.scaler(pod) is each), None)
        spec = each["spec"]
        if pod is None:
            yield f"{name(each)}: scales {spec['scaleTargetRef']['name']}, which isn't there"
            continue
        if not spec.get("minReplicas", 1) <= spec["maxReplicas"]:
            yield f"{name(each)}: minReplicas {spec['minReplicas']} > maxReplicas {spec['maxReplicas']}"
        resources = pod.main["resources"]
        for target in (metric["resource"]["target"] for metric in spec["metrics"] if metric["type"] == "Resource"):
            request, limit = (quantity(resources.get(kind, {}).get("cpu", 0)) for kind in ("requests", "limits"))
            aim = quantity(target.get("averageValue", 0)) or request * target.get("averageUtilization", 0) / 100
            if not 0 < aim < limit:
                yield f"{name(each)}: aims at {aim:g} CPUs a pod, not between 0 and the limit of {limit:g}"


def postgres_has_connections_for_all(manifest: Manifest) -> Iterator[str]:
    """Each pod has a connection for its health check beside the pool."""
    for pod in manifest.services:
        if pod.image != "warmstart-api":
            continue
        pool = server_of(pod.image, manifest.environment(pod)).settings.model_dump()["database_pool_size"]
        pods = most_pods(manifest, pod)
        available = _max_connections(manifest) - SUPERUSER_CONNECTIONS
        if pods * (pool + 1) > available:
            yield f"{pod}: {pods} pods open up to {pods * (pool + 1)} connections, Postgres has {available}"


def most_pods(manifest: Manifest, pod: Pod) -> int:
    """In a rollout: beside maxSurge new pods as many old ones still drain, which a Deployment doesn't count."""
    surge: int = pod.owner["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    return manifest.replicas(pod)[1] + 2 * surge


def _max_connections(manifest: Manifest) -> int:
    for pod in manifest.pods:
        if pod.image == "pgvector":
            given = (argument.partition("=") for argument in pod.main.get("args", []))
            return next((int(value) for key, _, value in given if key == "max_connections"), MAX_CONNECTIONS)
    return MAX_CONNECTIONS


def production_survives_a_node(manifest: Manifest) -> Iterator[str]:
    """Two replicas, on two nodes if there are two."""
    for pod in manifest.services:
        if manifest.environment(pod).get("ENVIRONMENT") != "production":
            continue
        if manifest.replicas(pod)[0] < 2:
            yield f"{pod}: may have a single replica in production"
        keys = {each["topologyKey"] for each in pod.spec.get("topologySpreadConstraints", [])}
        if "kubernetes.io/hostname" not in keys:
            yield f"{pod}: all replicas may be on one node: topologySpreadConstraints lack kubernetes.io/hostname"


RULES = (
    cpu_limit_is_the_model_threads,
    requests_are_within_limits,
    requests_cover_what_is_used,
    budgets_let_a_node_be_drained,
    services_have_a_disruption_budget,
    replicas_are_the_autoscalers,
    autoscalers_can_work,
    postgres_has_connections_for_all,
    production_survives_a_node,
)
