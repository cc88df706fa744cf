"""Three probes, three questions, and numbers that come from a measurement."""

from collections.abc import Iterator

from k8s.tests.budgets import budgets
from k8s.tests.rules.manifest import Manifest
from k8s.tests.rules.server import server_of

PROBES = {"startup": "startupProbe", "readiness": "readinessProbe", "liveness": "livenessProbe"}
NUMBERS = ("periodSeconds", "timeoutSeconds", "failureThreshold")


def each_question_has_its_probe(manifest: Manifest) -> Iterator[str]:
    """A service answers three questions on three paths, over HTTP: that TCP connects says nothing."""
    for pod in manifest.services:
        for kind, key in PROBES.items():
            path = budgets().probes[kind]["path"]
            asked = pod.main.get(key, {}).get("httpGet", {})
            if asked.get("path") != path or asked.get("port") not in ("http", None):
                yield f"{pod}: {key} must be an httpGet of {path} on port http, not {pod.main.get(key)}"


def startup_probe_outlasts_the_slowest_start(manifest: Manifest) -> Iterator[str]:
    """Else the kubelet kills what would have become ready, or what would have said why it can't."""
    for pod in manifest.services:
        probe = pod.main.get("startupProbe")
        budget = probe["periodSeconds"] * probe["failureThreshold"] if probe else 0
        inputs = budgets().inputs
        if not probe or budget < budgets().start:
            yield (
                f"{pod}: a start may take {budget:g} s; it must be allowed {budgets().start:g}: STARTUP_TIMEOUT "
                f"({inputs['startup_timeout']:g}) + 3 x the slowest start measured ({inputs['slowest_start']:g})"
            )


def startup_timeout_is_the_budgets(manifest: Manifest) -> Iterator[str]:
    """The startup probe's budget is made for one STARTUP_TIMEOUT."""
    for pod in manifest.services:
        limit = server_of(pod.image, manifest.environment(pod)).settings.startup_timeout
        counted_on = budgets().inputs["startup_timeout"]
        if limit != counted_on:
            yield f"{pod}: STARTUP_TIMEOUT is {limit:g}, but budgets.yaml counts on {counted_on:g}"


def liveness_is_not_readiness(manifest: Manifest) -> Iterator[str]:
    """A pod that is busy, draining or without its database would be restarted."""
    for pod in manifest.services:
        paths = [pod.main.get(key, {}).get("httpGet", {}).get("path") for key in ("livenessProbe", "readinessProbe")]
        if paths[0] == paths[1]:
            yield f"{pod}: liveness and readiness both ask {paths[0]}"


def liveness_looks_at_no_dependency(manifest: Manifest) -> Iterator[str]:
    """Restarting a service does not mend its database: of all paths only /livez looks at nothing else."""
    for pod in manifest.services:
        path = pod.main.get("livenessProbe", {}).get("httpGet", {}).get("path")
        if path != "/livez":
            yield f"{pod}: liveness asks {path}, which looks at more than this process's event loop"


def readiness_looks_at_nothing_shared(manifest: Manifest) -> Iterator[str]:
    """One database that hiccups would take all replicas out of the Service at once. A model is lost to one alone."""
    for pod in manifest.services:
        if manifest.environment(pod).get("READINESS_POLICY", "decoupled") != "decoupled":
            yield f"{pod}: READINESS_POLICY is coupled: a failing dependency makes all replicas unready that share it"


def liveness_is_slower_than_gunicorn(manifest: Manifest) -> Iterator[str]:
    """A wedged process is gunicorn's to replace; the kubelet would take the whole container."""
    for pod in manifest.services:
        if probe := pod.main.get("livenessProbe"):
            pause = probe["periodSeconds"] * (probe["failureThreshold"] - 1)
            if pause < budgets().tolerated_pause:
                yield f"{pod}: liveness gives up after {pause:g} s; {budgets().tolerated_pause:g} s must be tolerated"


def a_wedged_container_has_its_own_grace(manifest: Manifest) -> Iterator[str]:
    """Else one that can answer nothing, and so drain nothing, keeps its pod from serving for the pod's grace period."""
    for pod in manifest.services:
        found = pod.main.get("livenessProbe", {}).get("terminationGracePeriodSeconds", "the pod's")
        if found != budgets().liveness_grace:
            yield f"{pod}: a wedged container has {found} seconds to stop, budgets.yaml says {budgets().liveness_grace}"


def readiness_is_faster_than_the_drain(manifest: Manifest) -> Iterator[str]:
    """A process that failed serves for DRAIN_SECONDS more: by then no new connection may come."""
    for pod in manifest.services:
        if probe := pod.main.get("readinessProbe"):
            drain = server_of(pod.image, manifest.environment(pod)).settings.drain_seconds
            notice = probe["periodSeconds"] * probe["failureThreshold"]
            if notice >= drain:
                yield f"{pod}: readiness notices after {notice:g} s, but the drain is over after {drain:g} s"


def a_deleted_pod_stays_ready(manifest: Manifest) -> Iterator[str]:
    """It is taken off the ready endpoints anyhow; unready besides, it serves nobody while it is the only one."""
    for pod in manifest.services:
        answer = server_of(pod.image, manifest.environment(pod)).settings.drain_readyz
        if answer != "200":
            yield f"{pod}: DRAIN_READYZ is {answer}: an only pod that is deleted would be lost before the next is ready"


def numbers_are_the_budgets(manifest: Manifest) -> Iterator[str]:
    """No number without its reason in budgets.yaml."""
    for pod in manifest.services:
        for kind, key in PROBES.items():
            wanted = {number: budgets().probes[kind][number] for number in NUMBERS}
            found = {number: pod.main.get(key, {}).get(number) for number in NUMBERS}
            if found != wanted:
                yield f"{pod}: {key} has {found}, budgets.yaml says {wanted}"


RULES = (
    each_question_has_its_probe,
    startup_probe_outlasts_the_slowest_start,
    startup_timeout_is_the_budgets,
    liveness_is_not_readiness,
    liveness_looks_at_no_dependency,
    readiness_looks_at_nothing_shared,
    liveness_is_slower_than_gunicorn,
    a_wedged_container_has_its_own_grace,
    readiness_is_faster_than_the_drain,
    a_deleted_pod_stays_ready,
    numbers_are_the_budgets,
)
