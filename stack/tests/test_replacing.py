"""A model is replaced in a cluster: against a stand-in of kubectl, what is applied, run and deleted."""

import json
from pathlib import Path
from typing import Any

import pytest

from stack import PARTS, StackError
from stack.interface import NEXT
from stack.kubernetes import KubernetesStack
from stack.pods import PART_LABEL
from stack.tests.cluster import Cluster, deployment, pod

RENDERED = """\
{kind: Deployment, metadata: {name: worker}, spec: {template: {spec: {containers: [{name: worker}]}}}}
---
{kind: Deployment, metadata: {name: worker-next}, spec: {template: {spec: {containers: [{name: worker-next}]}}}}
---
{kind: HorizontalPodAutoscaler, metadata: {name: worker-next}}
---
{kind: Service, metadata: {name: worker-next}}
---
{kind: Job, metadata: {name: migrate-0-1-0}}
---
{kind: ServiceAccount, metadata: {name: reindex}}
---
kind: Job
metadata: {name: reindex}
spec:
  backoffLimit: 20
  template: {spec: {containers: [{name: reindex, command: [python, -m, api.reindex, prepare]}]}}
"""


def of(part: str, **state: Any) -> Any:
    """A pod of a part, by its label and its container."""
    found = pod("x-1", **state)
    found["metadata"] |= {"name": f"{part}-1", "labels": {PART_LABEL: part}}
    found["status"]["containerStatuses"][0]["name"] = part
    return found


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One with all parts, and no replacement under way."""
    found = Cluster(tmp_path_factory.mktemp("bin"), monkeypatch)
    found.answers("*kustomize*", RENDERED)
    found.lists("deployments", *(deployment(part) for part in (*PARTS, NEXT)))
    found.lists("deployments --field-selector=metadata.name=worker-next")
    found.lists("pods", *(of(part) for part in (*PARTS, NEXT)))
    found.lists("events")
    return found


@pytest.fixture
def stack(tmp_path: Path) -> KubernetesStack:
    """On the default ports, of which none is used."""
    return KubernetesStack(tmp_path)


def test_only_the_next_workers_are_applied(cluster: Cluster, stack: KubernetesStack) -> None:
    """With their model, which the cluster remembers; what runs is not touched, and no autoscaler adds replicas."""
    stack.start_next("organisation/other")
    applied = json.loads(cluster.given)["items"]
    assert [(each["kind"], each["metadata"]["name"]) for each in applied] == [
        ("Deployment", "worker-next"),
        ("Service", "worker-next"),
    ]
    [container] = applied[0]["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "EMBEDDING_MODEL", "value": "organisation/other"}]
    known = {**deployment(NEXT), **applied[0]}
    cluster.lists("deployments --field-selector=metadata.name=worker-next", known)
    cluster.answers("*get deployment worker-next*", known)
    assert stack.next_model() == "organisation/other"
    with pytest.raises(StackError, match="worker-next is there for organisation/other"):
        stack.start_next("third")
    cluster.does("*apply --filename -*", "exit 1")
    with pytest.raises(StackError):
        stack.start_next("organisation/other")
    assert not any(call.startswith("delete") for call in cluster.calls), "searches may need what was there before"


def test_workers_that_cannot_be_started_are_deleted(cluster: Cluster, stack: KubernetesStack) -> None:
    """The first time nothing needs them."""
    cluster.does("*apply --filename -*", "exit 1")
    with pytest.raises(StackError):
        stack.start_next("organisation/other")
    assert any(call.startswith("delete") and "deployment/worker-next" in call for call in cluster.calls)


@pytest.mark.parametrize(("printed", "serves"), [("t\n", True), ("f\n", False), ("", None)])
def test_postgres_knows_which_model_is_used(
    cluster: Cluster, stack: KubernetesStack, printed: str, serves: bool | None
) -> None:
    """Asked inside its pod, as it can't be reached from here."""
    cluster.lists(f"pods --selector {PART_LABEL}=postgres", of("postgres"))
    cluster.answers("*exec postgres-1 -- psql *", printed)
    assert stack.next_serves() is serves


def test_only_what_was_added_is_deleted(cluster: Cluster, stack: KubernetesStack) -> None:
    """The worker and the migration stay."""
    stack.stop_next()
    [deleted] = [call for call in cluster.calls if call.startswith("delete")]
    assert deleted.split()[2:] == [
        "deployment/worker-next",
        "horizontalpodautoscaler/worker-next",
        "job/reindex",
        "service/worker-next",
        "serviceaccount/reindex",
    ]


@pytest.mark.parametrize("code", [0, 4])
def test_a_step_is_a_job_whose_log_is_shown(
    cluster: Cluster, stack: KubernetesStack, capfd: pytest.CaptureFixture[str], code: int
) -> None:
    """Its exit code is the caller's; it isn't tried again, since the person sees why it failed."""
    cluster.lists("pods", of("reindex", state={"terminated": {"exitCode": code}}))
    cluster.answers("*logs --follow reindex-1", "all documents have a vector\n")
    assert stack.run_reindex("roll-back", "--at-once") == code
    assert capfd.readouterr().out == "all documents have a vector\n"
    account, job = json.loads(cluster.given)["items"]
    assert (account["kind"], job["spec"]["backoffLimit"]) == ("ServiceAccount", 0)
    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == [
        *("python", "-m", "api.reindex"),
        *("roll-back", "--at-once"),
    ]
    assert cluster.calls.index("apply --filename -") > cluster.calls.index(
        "delete job/reindex --ignore-not-found --cascade=foreground"
    )


def test_a_log_that_ends_before_its_job_is_no_end(
    cluster: Cluster, stack: KubernetesStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Job goes on, and the error says how to see more of it."""
    monkeypatch.setattr("stack.replacing.NOTED_SECONDS", 0.1)
    cluster.lists("pods", of("reindex"))
    with pytest.raises(StackError, match=r"if it goes on: kubectl .*logs --follow job/reindex"):
        stack.run_reindex("prepare")


def test_the_workers_model_is_its_manifests(cluster: Cluster, stack: KubernetesStack) -> None:
    """The stack would change what the next apply changes back; it says what is to be done instead."""
    with pytest.raises(StackError, match="give the Deployment worker the image of worker-next"):
        stack.adopt_next()
    assert not any(call.startswith(("patch", "apply", "set")) for call in cluster.calls)
