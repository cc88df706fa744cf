"""Changes that the rules about components for some clusters refuse."""

from k8s.tests.examples.changes import Example, added, both, in_pod, in_worker, local, production, put
from k8s.tests.rules import Rule, optional

BOOST = {"kind": "StartupCPUBoost", "spec": {}}
IN_PLACE = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]
VOLUME = [{"name": "model", "image": {"reference": "warmstart-artifact:0.1.0", "pullPolicy": "IfNotPresent"}}]
API_APART = in_pod("hostUsers", False)

OPTIONAL: dict[Rule, list[Example]] = {
    optional.near_pods_are_everywhere: [
        local(put("Service", "worker", "spec/trafficDistribution", "PreferSameZone"), "is not spread over topology"),
        production(put("Service", "api", "spec/trafficDistribution", "PreferClose"), "PreferClose is none of"),
    ],
    optional.users_fit_into_a_user_namespace: [
        local(API_APART, "Deployment/worker: has the node's users"),
        local(both(API_APART, in_pod("securityContext/runAsUser", 1000680000)), "runAsUser 1000680000 is not among"),
    ],
    optional.artifacts_are_where_the_worker_looks: [
        local(
            both(
                put("Deployment", "worker", "spec/template/spec/volumes", VOLUME),
                in_worker("volumeMounts", [{"name": "model", "mountPath": "/opt/models"}]),
            ),
            "mounted at /opt/models, artifacts are looked for in /opt/artifacts",
        ),
    ],
    optional.threads_follow_the_steady_quota: [
        local(added(BOOST), "StartupCPUBoost/added: changes the quota of running pods"),
        local(in_worker("resizePolicy", IN_PLACE), "a resize of its CPUs must restart the container"),
    ],
}
