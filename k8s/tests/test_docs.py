"""docs/kubernetes.md says what budgets.yaml, the manifests and the settings say."""

import re

import pytest

from k8s.tests.budgets import START_FACTOR, budgets, measured_starts
from k8s.tests.rendering import COMBINATIONS, K8S, render, text_of
from k8s.tests.rules import queue
from k8s.tests.rules.scaling import most_pods
from k8s.tests.rules.server import server_of
from stack.site import REPOSITORY

TEXT = (REPOSITORY / "docs" / "kubernetes.md").read_text()


def quoted(mark: str) -> str:
    """The block after a comment."""
    found = re.search(rf"<!-- {re.escape(mark)} -->\n```yaml\n(.*?\n)```", TEXT, flags=re.DOTALL)
    assert found, f"docs/kubernetes.md has no block {mark}"
    return found[1]


@pytest.mark.parametrize("kind", ["startup", "readiness", "liveness"])
def test_the_probe_table(kind: str) -> None:
    """Path and numbers of each probe, and the inputs in its reason, are those of budgets.yaml."""
    probe = budgets().probes[kind]
    numbers = f"{probe['periodSeconds']} s | {probe['timeoutSeconds']} s | {probe['failureThreshold']}"
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {kind} | `{probe['path']}` | {numbers} | "))
    inputs = {name: f"{value:g} s" for name, value in budgets().inputs.items()}
    period, threshold = probe["periodSeconds"], probe["failureThreshold"]
    reasons = {
        "startup": f"{period * threshold} s ≥ {inputs['startup_timeout']} + {START_FACTOR} × {inputs['slowest_start']}",
        "readiness": f"{period * threshold} s < {inputs['drain']}",
        "liveness": f"{period * (threshold - 1)} s ≥ {inputs['loop_timeout']} + {inputs['slowest_start']}",
    }
    assert reasons[kind] in row


def test_the_other_numbers() -> None:
    """Grace period and time to stay ready."""
    assert f"| `terminationGracePeriodSeconds` | {budgets().grace} |" in TEXT
    assert f"| liveness' own `terminationGracePeriodSeconds` | {budgets().liveness_grace} |" in TEXT
    assert f"| `minReadySeconds` | {budgets().min_ready} |" in TEXT
    assert f"{budgets().memory['warmstart-worker']} MiB under load on a node of Kubernetes" in TEXT
    slowest, starts = budgets().inputs["slowest_start"], len(measured_starts())
    measured = f"the slowest of {starts} starts of the worker, by every strategy, took {slowest:g} s to readiness"
    assert f"{measured} (`{budgets().measurement}`" in TEXT


@pytest.mark.kubectl
def test_the_quoted_rendering_is_real() -> None:
    """The api's Deployment of the production overlay, word for word."""
    assert quoted("rendered: Deployment/api") in text_of(K8S / "overlays" / "production").split("---\n")


@pytest.mark.kubectl
def test_the_connections() -> None:
    """Of the production overlay's api while it is replaced."""
    production = render(K8S / "overlays" / "production")
    api = next(pod for pod in production.services if pod.name == "api")
    pool = server_of(api.image, production.environment(api)).settings.model_dump()["database_pool_size"]
    assert f"need {most_pods(production, api) * (pool + 1)} of 97" in TEXT


def test_the_adapter_counts_the_workers_alone() -> None:
    """As the query of the component `keda` does, which a rule holds."""
    assert f"<<.Series>>{{<<.LabelMatchers>>,{queue.WORKERS_ALONE}}}" in TEXT


@pytest.mark.kubectl
def test_how_secrets_come() -> None:
    """As files, which change in running pods, or as variables, which don't."""
    variables = next(pod for pod in render(COMBINATIONS / "chat-production").services if pod.name == "api").main["env"]
    files = sorted(each["name"].removesuffix("_FILE") for each in variables if each["name"].endswith("_FILE"))
    references = sorted(each["name"] for each in variables if "valueFrom" in each)
    listed = (", ".join(f"`{name}`" for name in names) for names in (files, references))
    assert "Secrets are files ({}) or variables ({}).".format(*listed) in TEXT
