"""Changes that the rules about components for some clusters refuse."""

from k8s.tests.examples.changes import Example, both, in_pod, local, production, put
from k8s.tests.rules import Rule, optional

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
}
