"""The proxy in a cluster, against a stand-in of kubectl: a second container of the api's pod, while it is wanted."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from stack.cli import main
from stack.interface import ADDRESSES
from stack.kubernetes import KubernetesStack
from stack.site import REPOSITORY
from stack.tests.cluster import Cluster, deployment

RENDERED = """\
{kind: Deployment, metadata: {name: api}, spec: {template: {spec: {containers: [
  {name: api, env: [{name: DATABASE_URL_FILE, value: /run/secrets/warmstart/database-url}]}]}}}}
"""
URLS = {"database-url": "postgresql+asyncpg://w:p%40w@postgres:5432/w", "redis-url": "redis://:pw@valkey:6379/0"}


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One whose api is stopped."""
    found = Cluster(tmp_path_factory.mktemp("bin"), monkeypatch)
    found.answers("kustomize*", RENDERED)
    encoded = {name: base64.b64encode(url.encode()).decode() for name, url in URLS.items()}
    found.answers("*get secret warmstart *", {"data": encoded})
    found.answers("*get deployment api*", deployment("api", 0))
    found.answers("*get configmap shared*", {})
    found.has()
    return found


@pytest.fixture
def stack(tmp_path: Path) -> KubernetesStack:
    """On the default ports, of which none is used."""
    return KubernetesStack(tmp_path)


def patch_of(cluster: Cluster) -> dict[str, Any]:
    """The pod's part of the patch with which the api was started."""
    [call] = [call for call in cluster.calls if call.startswith("patch deployment api")]
    found: dict[str, Any] = json.loads(call.partition("--patch ")[2])["spec"]["template"]["spec"]
    return found


def detour(stack: KubernetesStack) -> None:
    """Start an api that goes through the proxy to all it needs."""
    settings = {name: value for part in ADDRESSES for name, value in stack.detour(part).items()}
    stack.start("api", wait=False, environment=settings)


def test_the_proxy_starts_in_the_apis_pod(cluster: Cluster, stack: KubernetesStack) -> None:
    """An api that goes through the proxy gets it as a second container, and the addresses of its stores in files."""
    detour(stack)
    spec = patch_of(cluster)
    api, proxy = spec["containers"]
    assert (api["name"], proxy["name"]) == ("api", "toxic")
    assert {each["name"]: each["value"] for each in api["env"]} == {
        "DATABASE_URL_FILE": "/run/warmstart/database-url",
        "REDIS_URL_FILE": "/run/warmstart/redis-url",
        "WORKER_URL": "http://127.0.0.1:28001",
    }
    assert spec["volumes"] == [{"name": "toxic", "configMap": {"name": "toxic"}}]
    given = "".join(call for call in cluster.calls if call.startswith("patch configmap shared"))
    assert "postgresql+asyncpg://w:p%40w@127.0.0.1:25432/w" in given
    assert "redis://:pw@127.0.0.1:26379/0" in given


def test_the_proxys_program_is_what_stack_has(cluster: Cluster, stack: KubernetesStack) -> None:
    """The ConfigMap that the container mounts holds every file of stack/toxic."""
    detour(stack)
    applied, _ = json.JSONDecoder().raw_decode(cluster.given)
    [found] = applied["items"]
    files = {file.name: file.read_text() for file in (REPOSITORY / "stack" / "toxic").glob("*.py")}
    assert (found["kind"], found["metadata"], found["data"]) == (
        "ConfigMap",
        {"name": "toxic", "namespace": "warmstart"},
        files,
    )


def test_an_api_that_goes_straight_is_rid_of_the_proxy(cluster: Cluster, stack: KubernetesStack) -> None:
    """The next start takes the container out of the pod, and puts back the variables as the manifest has them."""
    cluster.answers(
        "*get deployment api*", deployment("api", 0, **{"warmstart/environment": "DATABASE_URL_FILE,DRAIN_SECONDS"})
    )
    stack.start("api", wait=False)
    spec = patch_of(cluster)
    assert spec["containers"][0]["env"] == [
        {"name": "DATABASE_URL_FILE", "value": "/run/secrets/warmstart/database-url"},
        {"name": "DRAIN_SECONDS", "$patch": "delete"},
    ]
    gone = [{"name": "toxic", "$patch": "delete"}]
    assert (spec["containers"][1:], spec["volumes"]) == (gone, gone)


def test_a_persons_toxics_are_refused_in_a_cluster(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No pod but the drills' has the proxy: nothing is written, and a sentence says so."""
    monkeypatch.setenv("STACK", "kubernetes")
    assert main(["--root", str(tmp_path), "toxic", "add", "worker", "down"]) == 1
    assert "nothing would happen" in capsys.readouterr().err
    assert not any(call.startswith("patch") for call in cluster.calls)
