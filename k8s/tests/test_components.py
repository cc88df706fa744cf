"""Components that only some clusters need: each pair and all together, over both overlays; every one if asked for."""

import json
import os
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from k8s.tests.rendering import COMBINATIONS, K8S, render
from k8s.tests.rules import RULES
from k8s.tests.rules.manifest import Object
from k8s.tests.schemas import VERSIONS, check

pytestmark = pytest.mark.kubectl

# One of each row, or none: what stands in one row excludes each other.
CHOICES = (
    ("user-namespaces", "openshift"),
    ("same-zone",),
    ("queue-scaling", "keda"),
    ("http-route",),
    ("artifact-image",),
    ("worker-pods",),
    ("traces",),
)
ONLY = {"same-zone": "production"}  # needs pods in all zones
OPENSHIFT = "user_and_group_are_fixed"  # that is OpenShift's to do


ALL = os.environ.get("ALL_COMBINATIONS") == "1"  # 432, of which pairs, and as many at once as fit, are the usual ones


def combinations() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Overlay, and the components over it."""
    for overlay in ("local", "production"):
        rows = [[each for each in row if ONLY.get(each, overlay) == overlay] for row in CHOICES]
        for chosen in product(*(("", *row) for row in rows)):
            components = tuple(each for each in sorted(chosen, key="openshift".__eq__) if each)
            if ALL or len(components) <= 2 or len(components) == sum(map(bool, rows)):
                yield overlay, components


@cache
def valid(text: str, version: str) -> None:
    """An object, as JSON, against the schemas of that version: most of them are in many combinations."""
    check(json.loads(text), version)


@pytest.mark.parametrize(("overlay", "components"), list(combinations()), ids=str)
def test_a_combination(overlay: str, components: tuple[str, ...], tmp_path: Path) -> None:
    """It renders, validates against the schemas, and obeys the rules."""
    found = render(kustomization(tmp_path, overlay, components))
    for each in found.objects:
        for version in VERSIONS:
            valid(json.dumps(each, sort_keys=True), version)
    broken = {rule.__name__: list(rule(found)) for rule in RULES}
    assert {name for name, complaints in broken.items() if complaints} == (
        {OPENSHIFT} if "openshift" in components else set()
    ), broken


def kustomization(folder: Path, overlay: str, components: tuple[str, ...]) -> Path:
    """A folder that applies components over an overlay."""
    text: Object = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(K8S / "overlays" / overlay, folder)],
        "components": [os.path.relpath(K8S / "components" / each, folder) for each in components],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(text))
    return folder


@pytest.mark.parametrize("name", ["replacing", "replacing-production"])
def test_the_next_workers_are_workers(name: str) -> None:
    """Probes, confinement and budgets are the worker's: they differ in name, image, replicas and spread alone."""
    found = render(COMBINATIONS / name)
    for kind in ("Service", "PodDisruptionBudget", "ServiceAccount"):
        text = json.dumps(found.get(kind, "worker-next"))
        assert text.replace("worker-next", "worker") == json.dumps(found.get(kind, "worker"))
    plain, following = (found.get("Deployment", each) or {} for each in ("worker", "worker-next"))
    for each in (plain, following):
        template = each["spec"]["template"]
        template["metadata"].pop("annotations", None)  # of the monitoring, which is a part of the overlay
        template["spec"].pop("topologySpreadConstraints", None)
        template["spec"]["containers"][0].pop("resources")  # the overlay's
        for variable in template["spec"]["containers"][0]["env"]:
            variable["valueFrom"]["secretKeyRef"].pop("optional")  # production demands one of the worker: the same key
    assert json.dumps(following).replace("worker-next", "worker") == json.dumps(plain)


def test_replacing_a_model_isolates_nobody(tmp_path: Path) -> None:
    """A policy of its own would, in a cluster without the others, cut the api off from its stores."""
    over = [("worker-next", "reindex"), ()]
    with_them, without = (
        {each["metadata"]["name"] for each in found.of("NetworkPolicy")}
        for found in (render(kustomization(folder(tmp_path, each), "local", each)) for each in over)
    )
    assert with_them == without


def test_openshift_needs_no_network_policies(tmp_path: Path) -> None:
    """It changes one where it is, and renders where none is."""
    bare = tmp_path / "kustomization.yaml"
    kustomization(tmp_path, "local", ("openshift",))
    bare.write_text(bare.read_text().replace("overlays/local", "base"))
    assert render(tmp_path).of("NetworkPolicy") == []


def test_patches_of_all_workloads_reach_what_replaces_a_model(tmp_path: Path) -> None:
    """When they are listed once more, after it: an overlay's own don't see what comes over it."""
    found = render(kustomization(tmp_path, "local", ("worker-next", "reindex", "openshift", "user-namespaces")))
    for kind, called in (("Deployment", "worker-next"), ("Job", "reindex")):
        template = (found.get(kind, called) or {})["spec"]["template"]
        assert "runAsUser" not in template["spec"]["securityContext"]
        assert template["spec"]["hostUsers"] is False


def folder(parent: Path, names: tuple[str, ...]) -> Path:
    """One of its own for each."""
    found = parent / "-".join(("over", *names))
    found.mkdir()
    return found
