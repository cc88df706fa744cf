"""Every overlay and combination renders, is valid for Kubernetes, and obeys the rules; a control breaks its own."""

import shutil
from pathlib import Path

import pytest

from k8s.tests.budgets import budgets
from k8s.tests.rendering import COMBINATIONS, K8S, kustomizations, render
from k8s.tests.rules import RULES, Rule
from k8s.tests.schemas import VERSIONS, check
from warmstart.faults import Faults

pytestmark = pytest.mark.kubectl

# What a control is there to break.
BROKEN = {
    "control-no-drain": {"readiness_is_faster_than_the_drain"},
    "control-startup-budget-too-small": {"startup_probe_outlasts_the_slowest_start", "numbers_are_the_budgets"},
    "control-readiness-coupled": {"readiness_looks_at_nothing_shared"},
    "openshift": {"user_and_group_are_fixed"},  # that is OpenShift's to do
    "openshift-production": {"user_and_group_are_fixed"},
}


@pytest.mark.parametrize("name", kustomizations())
@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_valid(name: str, version: str) -> None:
    """Every object validates against the schemas of that version, unknown fields refused."""
    for each in render(kustomizations()[name]).objects:
        check(each, version)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", kustomizations())
def test_it_obeys(name: str, rule: Rule) -> None:
    """No rule is broken, but by the control that breaks it."""
    complaints = list(rule(render(kustomizations()[name])))
    assert bool(complaints) == (rule.__name__ in BROKEN.get(name, set())), "\n".join(complaints)


def test_the_plain_folder_is_the_local_overlay() -> None:
    """`kubectl apply -k k8s/` is the system that works in an empty cluster."""
    assert render(K8S) == render(K8S / "overlays" / "local")


def test_another_release_is_another_migration(tmp_path: Path) -> None:
    """With a new tag in the production overlay, and another registry, the Job has the new name by itself."""
    copy = shutil.copytree(K8S, tmp_path / "k8s", ignore=shutil.ignore_patterns("tests"))
    file = copy / "overlays" / "production" / "kustomization.yaml"
    text = file.read_text().replace("newTag: 0.1.0", "newTag: 0.2.0")
    file.write_text(text.replace("newName: ", "newName: registry.example.com/team/"))
    found = render(file.parent)
    assert {pod.main["image"].rpartition(":")[2] for pod in found.pods} == {"0.2.0"}
    assert found.get("Job", "migrate-0-2-0")
    assert [complaint for rule in RULES for complaint in rule(found)] == []


@pytest.mark.parametrize("name", ["openshift", "openshift-production"])
def test_openshift_chooses_the_users_and_resolves_names_its_own_way(name: str) -> None:
    """Its SCC restricted-v2 refuses pods that name a user or a group for files; all the rest but DNS is as it was."""
    plain = render(K8S / "overlays" / ("production" if name.endswith("production") else "local"))
    for pod in plain.pods:
        for key in ("runAsUser", "runAsGroup", "fsGroup"):
            pod.spec["securityContext"].pop(key, None)
    [names] = (plain.get("NetworkPolicy", "dns") or {})["spec"]["egress"]
    names["to"][0]["namespaceSelector"]["matchLabels"] = {"kubernetes.io/metadata.name": "openshift-dns"}
    for port in names["ports"]:
        port["port"] = 5353
    assert render(COMBINATIONS / name) == plain
    named = {key for pod in plain.pods for each in (pod.spec, *pod.containers) for key in each["securityContext"]}
    assert not named & {"runAsUser", "runAsGroup", "fsGroup", "supplementalGroups", "seLinuxOptions"}


def test_the_slow_start_would_be_tolerated() -> None:
    """The control differs from it by the startup probe alone, and it fits into the budget."""
    slow, control = (render(COMBINATIONS / name) for name in ("slow-start", "control-startup-budget-too-small"))
    worker = next(pod for pod in control.pods if pod.name == "worker")
    probe = worker.main["startupProbe"]
    seconds = Faults.model_validate_json(
        (control.get("ConfigMap", "shared") or {})["data"]["worker.faults"]
    ).slow_warmup
    assert probe["periodSeconds"] * probe["failureThreshold"] < seconds < budgets().inputs["startup_timeout"]
    probe["failureThreshold"] = budgets().probes["startup"]["failureThreshold"]
    assert slow == control
