"""Who is more patient than whom: client < server, service < gunicorn < kubelet, old pods < new ones."""

from collections.abc import Iterator

from api.worker_sessions import KEEPALIVE
from k8s.tests.budgets import KUBELET_MARGIN, budgets
from k8s.tests.rules.manifest import Manifest
from k8s.tests.rules.server import server_of

DEFAULT_GRACE = 30


def kubelet_is_more_patient_than_gunicorn(manifest: Manifest) -> Iterator[str]:
    """SIGKILL in the middle of a drain loses requests."""
    for pod in manifest.services:
        server = server_of(pod.image, manifest.environment(pod))
        grace = pod.spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE)
        stop = server.settings.stop_budget
        if not stop < server.graceful_timeout <= grace - KUBELET_MARGIN:
            yield (
                f"{pod}: drain + in-flight + closing ({stop:g} s) < graceful_timeout "
                f"({server.graceful_timeout:g} s) "
                f"<= terminationGracePeriodSeconds ({grace} s) - {KUBELET_MARGIN} must hold"
            )


def stop_numbers_are_the_budgets(manifest: Manifest) -> Iterator[str]:
    """No number without its reason in budgets.yaml."""
    for pod in manifest.services:
        found = (pod.spec.get("terminationGracePeriodSeconds"), pod.owner["spec"].get("minReadySeconds"))
        if found != (budgets().grace, budgets().min_ready):
            yield f"{pod}: terminationGracePeriodSeconds, minReadySeconds are {found}, budgets.yaml says otherwise"


def server_keeps_connections_longer_than_clients(manifest: Manifest) -> Iterator[str]:
    """Else the server closes a connection on which the api is just sending."""
    for pod in manifest.services:
        server = server_of(pod.image, manifest.environment(pod))
        if server.keepalive <= KEEPALIVE:
            yield f"{pod}: keeps idle connections for {server.keepalive:g} s, the api's client for {KEEPALIVE:g} s"


def new_pods_come_before_old_ones_go(manifest: Manifest) -> Iterator[str]:
    """A rollout never has fewer ready pods than before, and stops at a new pod that doesn't stay ready."""
    for pod in manifest.services:
        rolling = pod.owner["spec"].get("strategy", {}).get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            yield f"{pod}: a rollout needs maxUnavailable 0 and a maxSurge, not {rolling}"


def new_pods_must_stay_ready(manifest: Manifest) -> Iterator[str]:
    """Readiness has to have had the time to be lost again."""
    for pod in manifest.services:
        if probe := pod.main.get("readinessProbe"):
            notice = probe["periodSeconds"] * probe["failureThreshold"]
            if pod.owner["spec"].get("minReadySeconds", 0) < 2 * notice:
                yield f"{pod}: minReadySeconds must be at least {2 * notice}, twice what readiness takes to notice"


def python_is_not_process_one(manifest: Manifest) -> Iterator[str]:
    """The kernel drops SIGTERM for a process 1 without a handler: while Python imports, a stop would do nothing."""
    for pod in manifest.pods:
        if pod.image.startswith("warmstart-") and not pod.spec.get("shareProcessNamespace"):
            yield f"{pod}: needs an init: shareProcessNamespace: true makes the pause container process 1"


def one_process_a_pod(manifest: Manifest) -> Iterator[str]:
    """Kubernetes scales, replaces and measures pods; processes inside one would hide from it."""
    for pod in manifest.services:
        processes = server_of(pod.image, manifest.environment(pod)).settings.web_concurrency
        if processes != 1:
            yield f"{pod}: WEB_CONCURRENCY is {processes}: scale by replicas"


RULES = (
    kubelet_is_more_patient_than_gunicorn,
    stop_numbers_are_the_budgets,
    server_keeps_connections_longer_than_clients,
    new_pods_come_before_old_ones_go,
    new_pods_must_stay_ready,
    python_is_not_process_one,
    one_process_a_pod,
)
