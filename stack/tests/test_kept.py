"""The documents of a cluster's Postgres from one pod to the next, against a stand-in of kubectl."""

import json
from pathlib import Path

import pytest

from stack import StackError
from stack.kubernetes import KubernetesStack
from stack.tests.cluster import Cluster, deployment, pod

RENDERED = "{kind: Deployment, metadata: {name: postgres}, spec: {template: {spec: {containers: [{name: postgres}]}}}}"


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One whose Postgres runs and is ready."""
    found = Cluster(tmp_path_factory.mktemp("bin"), monkeypatch)
    found.answers("kustomize*", RENDERED)
    for kind in ("namespaces", "events"):
        found.lists(kind)
    found.lists("deployments", deployment("postgres"))
    found.has(pod("postgres-1"))
    found.answers("*get deployment *", deployment("postgres"))
    return found


@pytest.fixture
def stack(tmp_path: Path) -> KubernetesStack:
    """Of Postgres alone."""
    return KubernetesStack(tmp_path, parts=["postgres"])


def test_data_outlives_a_stop(cluster: Cluster, stack: KubernetesStack) -> None:
    """Saved before the pod of Postgres goes, put back into the next one, once, before its Service leads there."""
    cluster.answers("*exec postgres-1 -- pg_dump *", "CREATE TABLE documents;\n")
    gone = [{"type": kind, "object": pod("postgres-1", leaving=True)} for kind in ("ADDED", "DELETED")]
    cluster.answers("*get pods * --watch *", "\n".join(map(json.dumps, gone)) + "\n")
    stack.stop("postgres")
    cluster.answers("*get deployment postgres*", deployment("postgres", 0))
    stack.start("postgres")
    assert cluster.given == "CREATE TABLE documents;\n"
    steps = [call for call in cluster.calls if call.startswith(("patch", "exec --stdin"))]
    held, started, restored, released = (call.partition(" -- ")[0] for call in steps)
    assert (held, released) == tuple(
        f'patch service postgres --patch {{"spec": {{"selector": {{"warmstart/held": {value}}}}}}}'
        for value in ('"yes"', "null")
    )
    assert started.startswith("patch deployment postgres")
    assert restored == "exec --stdin postgres-1"
    assert not list(stack.site.data.iterdir())


def test_a_restore_that_fails_keeps_the_data_and_frees_the_service(cluster: Cluster, stack: KubernetesStack) -> None:
    """The next start can try again; clients are not locked out meanwhile."""
    saved = stack.site.data / "postgres.sql"
    saved.write_text("CREATE TABLE documents;\n")
    cluster.answers("*get deployment postgres*", deployment("postgres", 0))
    cluster.does("*exec --stdin*", "echo 'no such role' >&2; exit 1")
    with pytest.raises(StackError, match="no such role"):
        stack.start("postgres")
    assert saved.exists()
    assert cluster.calls[-1].endswith('{"spec": {"selector": {"warmstart/held": null}}}')


def test_up_restores_what_a_stop_saved(cluster: Cluster, stack: KubernetesStack) -> None:
    """An `up` puts the saved documents back, as `start` does: Postgres isn't just scaled up, with none."""
    (stack.site.data / "postgres.sql").write_text("CREATE TABLE documents;\n")
    cluster.answers("*get deployment postgres*", deployment("postgres", 0))
    stack.up()
    assert cluster.given.endswith("CREATE TABLE documents;\n")
    assert not list(stack.site.data.iterdir())


def test_what_was_never_restored_stops_nothing(cluster: Cluster, stack: KubernetesStack) -> None:
    """Saved documents that no start has put back are not overwritten, nor do those of the pod go: it runs on."""
    saved = stack.site.data / "postgres.sql"
    saved.write_text("CREATE TABLE documents;\n")
    with pytest.raises(StackError, match=f"{saved}.* move the file away first"):
        stack.stop("postgres")
    assert saved.read_text() == "CREATE TABLE documents;\n"
    assert not [call for call in cluster.calls if "scale" in call or "exec" in call]


def test_up_names_what_was_never_restored(
    cluster: Cluster, stack: KubernetesStack, caplog: pytest.LogCaptureFixture
) -> None:
    """In a cluster that was made again, Postgres runs by the manifests alone: before it has documents, this is said."""
    saved = stack.site.data / "postgres.sql"
    saved.write_text("CREATE TABLE documents;\n")
    stack.up()
    assert f"runs without the documents in {saved}" in caplog.text
    assert not cluster.given.endswith("CREATE TABLE documents;\n")
