"""Changes that the rules about security and the network refuse."""

from k8s.tests.examples.changes import (
    Example,
    added,
    both,
    drop,
    in_api,
    in_pod,
    in_worker,
    local,
    open_policy,
    production,
    put,
    replacing,
    setting,
    stores,
)
from k8s.tests.rules import Rule, network, security

FORBIDDEN = "Pod Security restricted forbids it"

SECURITY: dict[Rule, list[Example]] = {
    security.namespace_enforces_restricted: [
        local(put("Namespace", "warmstart", "metadata/labels", {}), "pod-security.kubernetes.io/enforce: restricted"),
        local(drop("Namespace", "warmstart"), "there is no Namespace warmstart"),
    ],
    security.everything_is_in_the_namespace: [
        local(drop("Service", "api", "metadata/namespace"), "Service/api: is in namespace None"),
    ],
    security.pods_are_restricted: [
        local(in_pod("hostPID", True), f"{FORBIDDEN}: hostPID"),
        local(in_pod("volumes/0", {"name": "secrets", "hostPath": {"path": "/"}}), "of type ['hostPath']"),
        local(in_pod("securityContext/runAsUser", 0), "runAsUser 0"),
        local(in_pod("securityContext/runAsNonRoot", False), "runAsNonRoot is not true"),
        local(in_pod("securityContext/seccompProfile", {}), "no seccomp profile"),
        local(in_pod("securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}]), "sysctls"),
        local(in_api("securityContext/privileged", True), "privileged"),
        local(in_api("securityContext/allowPrivilegeEscalation", True), "allowPrivilegeEscalation is not false"),
        local(in_api("securityContext/capabilities/drop", ["KILL"]), "capabilities are not all dropped"),
        local(in_api("securityContext/capabilities/add", ["SYS_PTRACE"]), "capabilities are added"),
        local(in_api("securityContext/procMount", "Unmasked"), "procMount"),
        local(in_api("ports/0/hostPort", 8000), "hostPort"),
    ],
    security.user_and_group_are_fixed: [
        local(in_pod("securityContext", {"runAsUser": 10001}), "api has no runAsGroup above 0"),
        local(in_api("securityContext/runAsGroup", 0), "api has no runAsGroup above 0"),
    ],
    security.root_file_system_is_read_only: [
        local(in_api("securityContext/readOnlyRootFilesystem", False), "can write to its root file system"),
    ],
    security.no_pod_can_talk_to_the_cluster: [
        local(in_pod("automountServiceAccountToken", True), "automountServiceAccountToken must be false"),
        local(drop("Deployment", "valkey", "spec/template/spec/enableServiceLinks"), "enableServiceLinks"),
    ],
    security.every_container_is_bounded: [
        local(in_worker("resources/limits", {"cpu": "2"}), "worker has no limits of memory"),
        local(drop("Deployment", "postgres", "spec/template/spec/containers/0/resources"), "no requests of cpu"),
    ],
    security.images_have_versions: [
        local(in_api("image", "warmstart-api:latest"), "image warmstart-api:latest has no version"),
        local(in_api("image", "registry.example.com:5000/warmstart-api"), "has no version"),
        local(in_api("imagePullPolicy", "Always"), "imagePullPolicy of api must be IfNotPresent"),
        local(in_pod("volumes/0", {"name": "m", "image": {"reference": "model"}}), "image model has no version"),
    ],
    security.secrets_are_references: [
        local(drop("Secret", "stores", "metadata/labels"), "Secret/stores: holds secrets in plain text"),
        production(added({"kind": "Secret", "stringData": {"api-keys": "k"}}), "Secret/added: holds secrets"),
        local(setting("DATABASE_URL", "postgresql+asyncpg://me:word@db/x"), "DATABASE_URL is a secret in plain text"),
        local(setting("API_KEYS", "word"), "API_KEYS is a secret in plain text"),
        local(setting("CHAT_API_KEY", "word"), "CHAT_API_KEY is a secret in plain text"),
        local(setting("ACCESS_TOKEN", "word"), "ACCESS_TOKEN is a secret in plain text"),
        local(added({"kind": "ConfigMap", "data": {"REDIS_URL": "redis://:word@r"}}), "ConfigMap/added: REDIS_URL"),
    ],
    security.production_is_closed: [
        production(drop("Deployment", "api", "spec/template/spec/containers/0/env/0"), "without API_KEYS_FILE"),
        production(drop("Deployment", "worker", "spec/template/spec/containers/0/env"), "without WORKER_SECRET"),
        production(setting("FAULTS_ENABLED", "1"), "FAULTS_ENABLED with ENVIRONMENT=production"),
        production(added({"kind": "Secret", "data": {}}), "Secret/added among the manifests"),
    ],
}

NETWORK: dict[Rule, list[Example]] = {
    network.everything_is_denied_first: [
        local(drop("NetworkPolicy", "default-deny"), "there is no NetworkPolicy that denies everything"),
        local(put("NetworkPolicy", "default-deny", "spec/policyTypes", ["Ingress"]), "there is no NetworkPolicy"),
        local(put("NetworkPolicy", "default-deny", "spec/egress", [{}]), "there is no NetworkPolicy"),
    ],
    network.pods_reach_what_they_need_and_no_more: [
        local(drop("NetworkPolicy", "to-postgres"), "migrate must reach postgres:5432"),
        local(put("NetworkPolicy", "worker", "spec/ingress/0/ports/0/port", 8000), "api must reach worker:8001"),
        Example("chat-demo", drop("NetworkPolicy", "to-chat"), "api must reach chat:8003"),
        replacing(drop("NetworkPolicy", "to-workers"), "api must reach worker-next:8001"),
        replacing(
            drop("NetworkPolicy", "worker", "spec/podSelector/matchExpressions/0/values/1"),
            "reindex must reach worker-next:8001",
        ),
        local(
            both(
                added(open_policy("migrate", 6379)),
                drop("NetworkPolicy", "valkey", "spec/ingress/0/from/0/podSelector/matchLabels"),
            ),
            "migrate may reach valkey:6379, which it doesn't need",
        ),
    ],
    network.names_can_be_resolved: [
        local(drop("NetworkPolicy", "dns"), "must reach port 53 of kube-system, or 5353 of openshift-dns over"),
        local(drop("NetworkPolicy", "dns", "spec/egress/0/ports/1"), "not ['UDP']"),
        local(put("NetworkPolicy", "dns", "spec/podSelector", {}), "needs no names"),
        local(put("NetworkPolicy", "dns", "spec/egress/0/ports/0/port", 5353), "not ['TCP']"),
        Example(
            "traces", drop("NetworkPolicy", "dns", "spec/podSelector/matchExpressions/0/values/3"), "worker: must reach"
        ),
    ],
    network.only_to_external_servers_out_of_the_cluster: [
        production(added(open_policy("worker", 5432)), "Deployment/worker: may call the world on ports ['5432']"),
        production(put("NetworkPolicy", "to-external-stores", "spec/egress", [{}]), "on ports of any number"),
        production(put("NetworkPolicy", "to-external-stores", "spec/egress", stores()), "the world on ports ['6432']"),
        production(
            put("NetworkPolicy", "to-external-stores", "spec/egress", stores("192.0.2.7/32", "10.0.0.0/8")),
            "world on ports ['6432']",
        ),
        local(added(open_policy("api", 5432)), "Deployment/api: may call the world"),
        Example("chat-demo", added(open_policy("api", 8003)), "Deployment/api: may call the world on ports ['8003']"),
        Example("chat-production", setting("CHAT_URL", "http://chat.example.com/v1"), "the world on ports ['443']"),
    ],
    network.traces_reach_their_collector: [
        local(setting(network.COLLECTOR, "http://otel.tracing:4318"), "port 4318 of the namespace tracing"),
        Example("traces", drop("NetworkPolicy", "to-collector"), "Deployment/worker: may not reach port 4318 of the"),
        Example("traces", put("NetworkPolicy", "to-collector", "spec/egress/0/ports/0/port", 4317), "reach port 4318"),
    ],
    network.ports_name_their_protocol: [
        local(drop("NetworkPolicy", "dns", "spec/egress/0/ports/1/protocol"), "a port of egress has no protocol"),
        local(put("NetworkPolicy", "api", "spec/ingress/0/ports/0", {"port": 8000}), "a port of ingress has no"),
    ],
    network.clients_and_prometheus_come_in: [
        local(put("NetworkPolicy", "api", "spec/ingress", []), "nobody can reach the front door"),
        local(drop("NetworkPolicy", "worker", "spec/ingress/0/from/1"), "not to monitoring alone"),
        replacing(
            drop("NetworkPolicy", "worker", "spec/ingress/0/from/1"), "Deployment/worker-next: its metrics are open"
        ),
    ],
}
