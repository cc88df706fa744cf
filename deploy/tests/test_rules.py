"""The manifests of managed platforms obey the rules, and each rule is seen refusing something."""

import pytest

from deploy.tests.changes import Change, at, variable
from deploy.tests.manifests import AZURE, CLOUD_RUN, parsed, paths, read
from deploy.tests.rules import complaints

API, WORKER, JOB = (f"{CLOUD_RUN}/{name}.yaml" for name in ("api", "worker", "migrate"))
AZURE_API, AZURE_WORKER = (f"{AZURE}/{name}.yaml" for name in ("api", "worker"))


@pytest.mark.parametrize("path", paths())
def test_a_manifest_obeys_the_rules(path: str) -> None:
    """Each of both platforms, the migration too."""
    assert complaints(parsed(path, read(path))) == []


AZURE_PROBE = "properties/template/containers/0/probes/0"
PROBES = "spec/template/spec/containers/0"
SECRET = f"{PROBES}/env/6"  # the worker's WORKER_SECRET


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (AZURE_API, at(f"{AZURE_PROBE}/periodSeconds", 6), "a start may take 57 s, it must be allowed 79.5"),
        (API, at(f"{PROBES}/startupProbe/failureThreshold", 200), "a start may take 199 s, it must be allowed 199.5"),
        (API, at(f"{PROBES}/startupProbe/failureThreshold", 241), "240 s at most"),
        (WORKER, variable("STARTUP_TIMEOUT", "130"), "a start may take 119 s, it must be allowed 149.5"),
        (API, variable("DRAIN_SECONDS", None), "graceful_timeout (14 s) < grace (10 s) must hold"),
        (WORKER, variable("REQUEST_TIMEOUT", None), "graceful_timeout (13 s) < grace (10 s) must hold"),
        (AZURE_API, at("properties/template/terminationGracePeriodSeconds", 20), "(22 s) < grace (20 s)"),
        (AZURE_API, variable("DRAIN_SECONDS", "20"), "drain + in-flight + closing (35 s)"),
        (AZURE_API, variable("CHAT_TIMEOUT", None), "an answer may take 310 s, and is cut after 240"),
        (API, at("spec/template/spec/timeoutSeconds", 300), "an answer may take 306 s, and is cut after 300"),
        (API, at(f"{PROBES}/readinessProbe/httpGet/path", "/livez"), "readiness asks /livez"),
        (WORKER, at(f"{PROBES}/livenessProbe/httpGet/port", 8000), "liveness asks /livez at port 8000"),
        (API, at(f"{PROBES}/livenessProbe/failureThreshold", 1), "other numbers than k8s/budgets.yaml"),
        (API, at(f"{PROBES}/startupProbe/timeoutSeconds", 2), "startup may take longer than its period"),
        (AZURE_WORKER, at("properties/configuration/ingress/targetPort", 8000), "it listens on 8001"),
        (API, variable("PORT", "8000"), "requests come to port 8000"),
        (AZURE_API, at("properties/template/scale/minReplicas", 0), "may have 0 instances"),
        (API, at("metadata/annotations/run.googleapis.com~minScale", "1"), "may have 1 instances"),
        (AZURE_WORKER, at("properties/template/containers/0/resources/cpu", 1.5), "has 1.5 CPUs"),
        (AZURE_API, at("properties/template/scale/maxReplicas", 5), "up to 110 connections, Postgres has 97"),
        (AZURE_WORKER, at("properties/configuration/ingress/external", True), "open to the internet"),
        (WORKER, at("metadata/annotations/run.googleapis.com~ingress", "all"), "open to the internet"),
        (AZURE_API, variable("ENVIRONMENT", None), "ENVIRONMENT is not production"),
        (API, variable("API_KEYS", None), "has no API_KEYS"),
        (AZURE_API, variable("API_KEYS_FILE", None), "has no API_KEYS"),
        (API, variable("LOG_FROMAT", "json"), "LOG_FROMAT is no setting of warmstart-api"),
        (WORKER, at(f"{SECRET}/name", "WORKER_SECERT"), "WORKER_SECERT is no setting of warmstart-worker"),
        (WORKER, at(f"{SECRET}/valueFrom/secretKeyRef/key", "latest"), "WORKER_SECRET is of version latest"),
        (API, variable("API_KEYS_FILE", "/run/secrets/redis-url/value"), "API_KEYS_FILE is read twice a second"),
        (JOB, variable("DATABASE_URL_FILE", "/run/secrets/database-url"), "which is not mounted"),
        (AZURE_API, at("properties/configuration/secrets/0", None), "which is not mounted"),
        (API, variable("DATABASE_URL", "postgresql+asyncpg://me:word@db/x"), "a secret in plain text"),
        (API, variable("WORKER_SECRET", "not-so-secret"), "a secret in plain text"),
        (JOB, at("spec/template/spec/template/spec/timeoutSeconds", 120), "waits 120 s for Postgres, and is cut after"),
    ],
)
def test_a_rule_refuses(path: str, change: Change, message: str) -> None:
    """The smallest change that it is there to refuse; the complaint says what is wrong."""
    manifest = read(path)
    change(manifest)
    assert any(message in each for each in complaints(parsed(path, manifest))), complaints(parsed(path, manifest))


def test_the_migration_reaches_postgres_as_the_api_does() -> None:
    """By all traffic through the VPC or by some: else a release migrates, and its api can't connect, or the reverse."""
    annotations = [read(path)["spec"]["template"]["metadata"]["annotations"] for path in (API, JOB)]
    ways = [{key: value for key, value in each.items() if "network" in key or "vpc" in key} for each in annotations]
    assert ways[0] == ways[1]
    assert "run.googleapis.com/vpc-access-egress" in ways[0]
