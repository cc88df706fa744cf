"""Changes that the rules about scaling and wiring refuse."""

from k8s.tests.examples.changes import (
    Example,
    added,
    drop,
    in_api,
    in_pod,
    in_worker,
    local,
    production,
    put,
    replacing,
    setting,
)
from k8s.tests.rules import Rule, scaling, wiring

SCALER = {
    "kind": "HorizontalPodAutoscaler",
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "gone"}, "maxReplicas": 2, "metrics": []},
}
FROM_CONFIG = [{"configMapRef": {"name": "x-h4sh"}}]

SCALING: dict[Rule, list[Example]] = {
    scaling.cpu_limit_is_the_model_threads: [
        local(in_worker("resources/limits/cpu", "1500m"), "a CPU limit of 1.5"),
        local(setting("OMP_NUM_THREADS", "4", "worker"), "OMP_NUM_THREADS=4 with a CPU limit of 2"),
    ],
    scaling.requests_are_within_limits: [
        local(in_worker("resources/requests/memory", "3Gi"), "worker requests 3Gi of memory, above its limit of 1Gi"),
    ],
    scaling.requests_cover_what_is_used: [
        local(in_worker("resources/requests/memory", "256Mi"), "requests 256 MiB of memory, but uses 288 under load"),
    ],
    scaling.budgets_let_a_node_be_drained: [
        local(put("PodDisruptionBudget", "api", "spec/maxUnavailable", 0), "no node could be drained"),
        local(
            put("PodDisruptionBudget", "api", "spec", {"minAvailable": 1, "selector": {"matchLabels": {}}}),
            "with 1 replicas of Deployment/api no node could be drained",
        ),
        production(put("PodDisruptionBudget", "api", "spec/maxUnavailable", 2), "lets all 2 replicas"),
    ],
    scaling.services_have_a_disruption_budget: [
        local(drop("PodDisruptionBudget", "worker"), "Deployment/worker: has no PodDisruptionBudget"),
    ],
    scaling.replicas_are_the_autoscalers: [
        local(put("Deployment", "api", "spec/replicas", 2), "has replicas beside a HorizontalPodAutoscaler"),
        local(drop("HorizontalPodAutoscaler", "api"), "Deployment/api: has no HorizontalPodAutoscaler"),
    ],
    scaling.autoscalers_can_work: [
        local(put("HorizontalPodAutoscaler", "api", "spec/minReplicas", 5), "minReplicas 5 > maxReplicas 2"),
        local(in_api("resources/limits/cpu", "500m"), "aims at 0.7 CPUs a pod"),
        local(added(SCALER), "scales gone, which isn't there"),
    ],
    scaling.postgres_has_connections_for_all: [
        production(put("HorizontalPodAutoscaler", "api", "spec/maxReplicas", 7), "9 pods open up to 99 connections"),
        local(setting("DATABASE_POOL_SIZE", "100"), "4 pods open up to 404 connections, Postgres has 197"),
    ],
    scaling.production_survives_a_node: [
        production(put("HorizontalPodAutoscaler", "api", "spec/minReplicas", 1), "may have a single replica"),
        production(in_pod("topologySpreadConstraints", []), "all replicas may be on one node"),
    ],
}

WIRING: dict[Rule, list[Example]] = {
    wiring.deployments_find_their_pods: [
        local(put("Deployment", "api", "spec/selector/matchLabels", {"app": "api"}), "doesn't match its own pods"),
    ],
    wiring.services_find_pods_and_ports: [
        local(put("Service", "api", "spec/selector", {"app": "api"}), "selects the pods of []"),
        local(put("Service", "api", "spec/ports/0/targetPort", "web"), "port web is none of"),
    ],
    wiring.budgets_and_policies_find_pods: [
        local(put("NetworkPolicy", "valkey", "spec/podSelector/matchLabels", {"app": "redis"}), "selects no pod"),
        local(put("PodDisruptionBudget", "api", "spec/selector/matchLabels", {"app": "api"}), "selects no pod"),
    ],
    wiring.what_pods_name_is_there: [
        local(in_api("envFrom/0/configMapRef/name", "api-settings"), "ConfigMap/api-settings isn't there"),
        local(in_pod("serviceAccountName", "admin"), "ServiceAccount/admin isn't there"),
        local(drop("Secret", "stores"), "Secret/stores isn't there"),
    ],
    wiring.volumes_are_mounted: [local(in_api("volumeMounts", []), "volumes ['secrets'], mounted are []")],
    wiring.every_variable_is_a_setting: [
        local(setting("DRAIN_SECOND", "5"), "DRAIN_SECOND is no setting of warmstart-api"),
        local(setting("DRAIN_SECONDS", "soon"), "drain_seconds"),
        local(setting("WORKER_URL_FILE", "/x"), "WORKER_URL_FILE: WORKER_URL is no secret"),
        production(setting("API_KEYS_FILE", ""), "API_KEYS_FILE: it is empty"),
    ],
    wiring.secret_files_are_mounted: [
        local(setting("API_KEYS_FILE", "/run/secrets/warmstart/api-key"), "/api-key, which no mounted Secret has"),
        production(setting("API_KEYS_FILE", "/run/secrets/api-keys"), "/api-keys, which no mounted Secret has"),
    ],
    wiring.the_api_finds_the_worker: [
        local(setting("WORKER_URL", "http://worker:8080"), "WORKER_URL 'http://worker:8080' is no Service"),
        local(drop("Service", "worker"), "is no Service with that port"),
    ],
    wiring.the_api_finds_the_next_worker: [
        local(setting("NEXT_WORKER_URL", "http://worker:8001"), "NEXT_WORKER_URL is not http://worker-next:8001"),
        replacing(put("Service", "worker-next", "spec/ports/0/port", 80), "is no port of Service/worker-next"),
    ],
    wiring.reindexing_is_the_apis: [
        replacing(
            put("Job", "reindex", "spec/template/spec/containers/0/image", "warmstart-api:0.2.0"),
            "Job/reindex: runs warmstart-api:0.2.0, the api is warmstart-api:0.1.0",
        ),
    ],
    wiring.the_migration_is_a_job_of_its_version: [
        local(
            put("Job", "migrate-0-1-0", "spec/template/spec/containers/0/image", "warmstart-api:0.2.0"),
            "must be called migrate-0-2-0, after its image",
        ),
        local(in_api("image", "warmstart-api:0.2.0"), "runs warmstart-api:0.1.0, the api is warmstart-api:0.2.0"),
        local(put("Job", "migrate-0-1-0", "spec/ttlSecondsAfterFinished", 60), "the next apply would make it anew"),
        local(drop("Job", "migrate-0-1-0"), "there must be one migration Job, not 0"),
    ],
    wiring.all_migrations_are_the_apis: [
        local(
            put("Deployment", "postgres", "spec/template/spec/containers/1/image", "warmstart-api:0.2.0"),
            "schema migrates with warmstart-api:0.2.0, the api is warmstart-api:0.1.0",
        ),
    ],
    wiring.stores_that_forget_make_their_schema: [
        local(drop("Deployment", "postgres", "spec/template/spec/containers/1"), "loses its schema with its pod"),
        local(drop("Deployment", "postgres", "spec/template/spec/containers/1/readinessProbe"), "loses its schema"),
    ],
    wiring.pods_can_be_called_after_their_owners: [
        local(put("Job", "migrate-0-1-0", "metadata/name", "migrate-0.1.0"), "its name is no DNS label"),
    ],
    wiring.the_migration_names_nothing_that_changes: [
        local(
            put(
                "Job",
                "migrate-0-1-0",
                "spec/template/spec/containers/0/envFrom",
                FROM_CONFIG,
            ),
            "names ConfigMap/x-h4sh, whose name changes",
        ),
    ],
}
