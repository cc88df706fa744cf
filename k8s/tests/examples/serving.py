"""Changes that the rules about probes and stopping refuse."""

from k8s.tests.examples.changes import Example, drop, in_api, in_pod, in_worker, local, put, setting
from k8s.tests.rules import Rule, probes, stopping

PROBES: dict[Rule, list[Example]] = {
    probes.each_question_has_its_probe: [
        local(in_api("readinessProbe", {"tcpSocket": {"port": 8000}}), "must be an httpGet of /readyz"),
        local(in_worker("startupProbe/httpGet/path", "/readyz"), "must be an httpGet of /startupz"),
        local(in_api("livenessProbe", {}), "must be an httpGet of /livez"),
    ],
    probes.startup_probe_outlasts_the_slowest_start: [
        local(in_worker("startupProbe/failureThreshold", 60), "a start may take 60 s; it must be allowed"),
        local(in_worker("startupProbe", {}), "a start may take 0 s"),
    ],
    probes.startup_timeout_is_the_budgets: [local(setting("STARTUP_TIMEOUT", "300"), "STARTUP_TIMEOUT is 300")],
    probes.liveness_is_not_readiness: [
        local(in_api("livenessProbe/httpGet/path", "/readyz"), "liveness and readiness both ask /readyz"),
    ],
    probes.liveness_looks_at_no_dependency: [
        local(in_api("livenessProbe/httpGet/path", "/readyz/postgres"), "liveness asks /readyz/postgres"),
    ],
    probes.readiness_looks_at_nothing_shared: [
        local(setting("READINESS_POLICY", "coupled"), "READINESS_POLICY is coupled"),
    ],
    probes.liveness_is_slower_than_gunicorn: [
        local(in_api("livenessProbe/failureThreshold", 3), "liveness gives up after 20 s"),
    ],
    probes.a_wedged_container_has_its_own_grace: [
        local(
            drop("Deployment", "api", "spec/template/spec/containers/0/livenessProbe/terminationGracePeriodSeconds"),
            "a wedged container has the pod's seconds to stop",
        ),
        local(in_worker("livenessProbe/terminationGracePeriodSeconds", 30), "has 30 seconds to stop"),
    ],
    probes.readiness_is_faster_than_the_drain: [
        local(in_api("readinessProbe/periodSeconds", 10), "readiness notices after 20 s"),
        local(setting("DRAIN_SECONDS", "0"), "the drain is over after 0 s"),
    ],
    probes.a_deleted_pod_stays_ready: [local(setting("DRAIN_READYZ", "503"), "DRAIN_READYZ is 503")],
    probes.numbers_are_the_budgets: [local(in_api("readinessProbe/timeoutSeconds", 1), "budgets.yaml says")],
}

STOPPING: dict[Rule, list[Example]] = {
    stopping.kubelet_is_more_patient_than_gunicorn: [
        local(in_pod("terminationGracePeriodSeconds", 22), "terminationGracePeriodSeconds (22 s) - 5 must hold"),
        local(setting("DRAIN_SECONDS", "15"), "drain + in-flight + closing (30 s)"),
        local(setting("GUNICORN_CMD_ARGS", "--graceful-timeout 20"), "graceful_timeout (20 s)"),
    ],
    stopping.stop_numbers_are_the_budgets: [
        local(in_pod("terminationGracePeriodSeconds", 60), "budgets.yaml says otherwise"),
    ],
    stopping.server_keeps_connections_longer_than_clients: [
        local(setting("GUNICORN_CMD_ARGS", "--keep-alive 5", "worker"), "keeps idle connections for 5 s"),
    ],
    stopping.new_pods_come_before_old_ones_go: [
        local(put("Deployment", "api", "spec/strategy/rollingUpdate/maxUnavailable", 1), "needs maxUnavailable 0"),
        local(put("Deployment", "api", "spec/strategy", {"type": "Recreate"}), "needs maxUnavailable 0"),
    ],
    stopping.new_pods_must_stay_ready: [
        local(put("Deployment", "api", "spec/minReadySeconds", 0), "minReadySeconds must be at least 8"),
    ],
    stopping.python_is_not_process_one: [
        local(in_pod("shareProcessNamespace", False), "Deployment/api: needs an init"),
    ],
    stopping.one_process_a_pod: [local(setting("WEB_CONCURRENCY", "3"), "WEB_CONCURRENCY is 3")],
}
