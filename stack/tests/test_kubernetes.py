"""The kubernetes stack against a stand-in of kubectl: what it asks, what it refuses, how it understands the answers."""

import base64
import json
import socket
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.parse import urlsplit

import pytest

from stack import PARTS, StackError, free_ports
from stack.cli import main
from stack.kubernetes import KubernetesStack
from stack.tests.cluster import Cluster, deployment, pod, warning

LISTED = """\
1 (pause) S 0 1 1
7 (gunicorn: maste) S 0 7 7
12 (gunicorn) worker) S 7 7 7
30 (pg_isready) S 0 30 30
41 (sh) S 0 41 41
41
"""
OURS = {"metadata": {"name": "warmstart", "labels": {"app.kubernetes.io/part-of": "warmstart"}}}
RENDERED = """\
{kind: ConfigMap, metadata: {name: api-settings-h4sh}}
---
{kind: Deployment, metadata: {name: api}, spec: {template: {spec: {containers: [{name: api}]}}}}
---
{kind: Deployment, metadata: {name: worker}, spec: {template: {spec: {containers: [{name: worker}]}}}}
---
{kind: HorizontalPodAutoscaler, metadata: {name: api}}
---
{kind: NetworkPolicy, metadata: {name: worker}}
---
{kind: Job, metadata: {name: migrate-0-1-0}}
"""


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One in which all parts run and are ready."""
    found = Cluster(tmp_path_factory.mktemp("bin"), monkeypatch)
    found.answers("kustomize*", RENDERED)
    found.lists("namespaces", OURS)
    found.lists("deployments", *(deployment(part) for part in PARTS))
    found.has(*(pod(f"{part}-1") for part in PARTS))
    found.lists("events")
    found.answers("*get deployment *", deployment("any"))
    found.answers("*exec * sh -c for*", LISTED)
    return found


@pytest.fixture
def stack(tmp_path: Path) -> KubernetesStack:
    """On the default ports, of which none is used."""
    return KubernetesStack(tmp_path)


def test_a_context_must_be_named(cluster: Cluster, stack: KubernetesStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever kubectl points at may be somebody's production: nothing is done there unasked."""
    monkeypatch.delenv("KUBE_CONTEXT")
    for command in (stack.up, stack.down, stack.status, lambda: stack.stop("api"), lambda: stack.logs("api")):
        with pytest.raises(
            StackError, match="KUBE_CONTEXT is not set: KUBE_CONTEXT=here says that this cluster is meant"
        ):
            command()
    assert set(cluster.calls) == {"config current-context"}


def test_another_context_is_refused(cluster: Cluster, stack: KubernetesStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name has to be that of the current context: a switched one is noticed."""
    monkeypatch.setenv("KUBE_CONTEXT", "kind-warmstart")
    with pytest.raises(StackError, match="KUBE_CONTEXT=kind-warmstart, but the current context is here"):
        stack.up()
    assert set(cluster.calls) == {"config current-context"}


def test_no_kubectl_is_said(stack: KubernetesStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a FileNotFoundError."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(StackError, match="there is no kubectl command"):
        stack.status()


def test_every_command_names_context_and_namespace(cluster: Cluster, stack: KubernetesStack) -> None:
    """So that a switch of the current context in another terminal changes nothing."""
    cluster.does("*", "case $* in --context*here*--namespace*warmstart*) ;; *) echo 'plain' >&2; exit 1 ;; esac")
    cluster.answers("*config current-context", "here\n")
    stack.kubectl.run("get", "pods")


def test_up_applies_and_waits(cluster: Cluster, stack: KubernetesStack) -> None:
    """All objects in one apply; it returns when every pod is ready."""
    stack.up()
    applied = json.loads(cluster.given)["items"]
    assert [each["kind"] for each in applied][:2] == ["ConfigMap", "Deployment"]
    assert len(applied) == 6
    assert "apply --filename -" in cluster.calls
    assert cluster.calls.index("apply --filename -") < cluster.calls.index("get deployments --output json")
    assert not any(call.startswith("scale") for call in cluster.calls)


def test_up_of_one_part(cluster: Cluster, tmp_path: Path) -> None:
    """Deployments and autoscalers of other parts, and the migration, are left out."""
    KubernetesStack(tmp_path, parts=["worker"]).up()
    kinds = [(each["kind"], each["metadata"]["name"]) for each in json.loads(cluster.given)["items"]]
    assert ("Deployment", "worker") in kinds
    assert not {("Deployment", "api"), ("HorizontalPodAutoscaler", "api"), ("Job", "migrate-0-1-0")} & set(kinds)


def test_up_starts_what_was_stopped(cluster: Cluster, tmp_path: Path) -> None:
    """An apply leaves the replicas alone, so a stopped part is scaled up."""
    cluster.answers("*get deployment worker*", deployment("worker", 0))
    KubernetesStack(tmp_path, parts=["worker"]).up()
    assert "scale deployment/worker --replicas 1" in cluster.calls


def test_somebody_elses_namespace_is_left_alone(cluster: Cluster, stack: KubernetesStack) -> None:
    """One of our name without our label is neither filled nor deleted."""
    cluster.lists("namespaces", {"metadata": {"name": "warmstart", "labels": {}}})
    for command in (stack.up, stack.down):
        with pytest.raises(StackError, match="there is a namespace warmstart that isn't ours"):
            command()
    assert not any(call.startswith(("apply", "delete")) for call in cluster.calls)


def test_down_deletes_the_namespace(cluster: Cluster, stack: KubernetesStack) -> None:
    """And nothing outside of it."""
    stack.down()
    assert [call for call in cluster.calls if "delete" in call] == ["delete namespace warmstart --ignore-not-found"]


def test_up_and_down_say_what_becomes_of_documents(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`down` deletes them with the namespace: `up` says so beforehand, `down` afterwards."""
    monkeypatch.setenv("STACK", "kubernetes")
    caplog.set_level("INFO")
    port = free_ports()["api"]
    with socket.create_server(("127.0.0.1", port)):
        cluster.answers("*get service *", {"spec": {"clusterIP": "127.0.0.1", "ports": [{"port": port}]}})
        assert main(["--root", str(tmp_path), "up"]) == 0
    said = capsys.readouterr().out
    assert "make k8s-down deletes the namespace warmstart, and the documents with it" in said
    assert "documents stay" not in said
    assert main(["--root", str(tmp_path), "down"]) == 0
    assert "namespace warmstart is gone, and all documents with it" in caplog.text


def test_status_of_ready_parts(cluster: Cluster, stack: KubernetesStack) -> None:
    """Every part, in the order of starting."""
    assert [(each.part, each.running, each.ready, each.detail) for each in stack.status()] == [
        (part, True, True, "ready") for part in PARTS
    ]


def test_status_tells_why_not(cluster: Cluster, stack: KubernetesStack) -> None:
    """Restarts, exit codes, what can't be scheduled, what the kubelet complains about, what was stopped."""
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    cluster.has(
        pod("worker-1", ready=False, state=waiting, last={"terminated": {"exitCode": 3}}, restarts=4),
        pod("api-1", ready=False),
        pod("api-2"),
        pod("valkey-1", ready=False, scheduled="0/1 nodes are available: 1 Insufficient cpu."),
        pod("postgres-1", leaving=True),
    )
    cluster.lists(
        "events",
        warning("api-1", "Readiness probe failed: 503", "2026-11-26T06:00:02Z"),
        warning("api-1", "Startup probe failed: 503", "2026-11-26T06:00:01Z"),
        warning("api-2", "of another pod", "2026-11-26T06:00:03Z"),
    )
    cluster.lists("deployments", deployment("postgres", 0), *(deployment(part) for part in PARTS[1:]))
    found = {each.part: each for each in stack.status()}
    assert found["worker"].detail == "CrashLoopBackOff, last exit code 3, restarted 4 times"
    assert (found["worker"].running, found["worker"].ready, found["worker"].exit_code) == (True, False, 3)
    assert found["api"].detail == "not ready: Readiness probe failed: 503"
    assert found["api"].exit_code is None
    assert found["valkey"].detail == "pending: 0/1 nodes are available: 1 Insufficient cpu."
    assert (found["postgres"].running, found["postgres"].detail) == (False, "leaving")


def test_an_end_is_seen_after_the_kubelet_has_started_it_again(cluster: Cluster, stack: KubernetesStack) -> None:
    """The exit code of the try before stays until the pod is ready; a look is too slow to meet the moment itself."""
    before = {"terminated": {"exitCode": 0}}
    for ready, code in ((False, 0), (True, None)):
        cluster.has(pod("worker-1", ready=ready, last=before, restarts=1), *(pod(f"{part}-1") for part in PARTS[:2]))
        assert {each.part: each.exit_code for each in stack.status()}["worker"] == code


@pytest.mark.parametrize("status", [{"observedGeneration": 0}, {"updatedReplicas": 0}])
def test_old_pods_are_not_the_new_ones(cluster: Cluster, stack: KubernetesStack, status: dict[str, int]) -> None:
    """Right after a change the pods that are ready are those that will go."""
    changed = deployment("api")
    changed["status"] |= status
    cluster.lists("deployments", changed)
    found = {each.part: each for each in stack.status()}["api"]
    assert (found.running, found.ready, found.detail) == (True, False, "ready, to be replaced")


def test_start_sets_the_environment_of_this_start(cluster: Cluster, stack: KubernetesStack) -> None:
    """One patch: what the last start added goes, what this one wants comes, and a replica."""
    cluster.answers("*get deployment worker*", deployment("worker", 0, **{"warmstart/environment": "ENGINE,WARMUP"}))
    stack.start("worker", environment={"ENGINE": "fake", "DRAIN_SECONDS": "1"})
    call = next(call for call in cluster.calls if call.startswith("patch"))
    patch = json.loads(call.partition("--patch ")[2])
    assert patch["spec"]["replicas"] == 1
    assert patch["metadata"]["annotations"] == {"warmstart/environment": "ENGINE,DRAIN_SECONDS"}
    assert patch["spec"]["template"]["spec"]["containers"] == [
        {
            "name": "worker",
            "env": [
                {"name": "WARMUP", "$patch": "delete"},
                {"name": "ENGINE", "value": "fake"},
                {"name": "DRAIN_SECONDS", "value": "1"},
            ],
        }
    ]


def test_what_runs_is_not_started(cluster: Cluster, stack: KubernetesStack) -> None:
    """As on every stack."""
    with pytest.raises(StackError, match="worker runs already"):
        stack.start("worker")
    assert not any(call.startswith("patch") for call in cluster.calls)


def test_a_started_postgres_makes_its_schema_itself(cluster: Cluster, stack: KubernetesStack) -> None:
    """Without saved data nothing is done but wait until its pod is ready, which its own migration decides."""
    cluster.answers("*get deployment postgres*", deployment("postgres", 0))
    stack.start("postgres")
    assert not [call for call in cluster.calls if call.startswith(("delete", "apply", "wait", "patch service"))]


def test_stop_returns_the_exit_code(cluster: Cluster, stack: KubernetesStack) -> None:
    """It is to be seen only while the pod goes: as the watch tells it, of the last state before it is gone."""
    ended = {"terminated": {"exitCode": 137}}
    events = [
        {"type": "ADDED", "object": pod("api-1")},
        {"type": "ADDED", "object": pod("worker-1")},
        {"type": "MODIFIED", "object": pod("worker-1", leaving=True)},
        {"type": "DELETED", "object": pod("worker-1", leaving=True, ready=False, state=ended)},
    ]
    cluster.answers("*get pods * --watch *", "\n".join(map(json.dumps, events)) + "\n")
    assert stack.stop("worker") == 137
    assert "scale deployment/worker --replicas 0" in cluster.calls


def test_a_pod_that_stays_is_an_error(
    cluster: Cluster, stack: KubernetesStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch is bounded."""
    monkeypatch.setattr("stack.kubernetes.GONE_SECONDS", 0.2)
    cluster.does("*get pods * --watch *", "exec sleep 30")
    with pytest.raises(StackError, match=r"worker-1: still there after 0.2 s"):
        stack.stop("worker")


def test_signals_go_to_the_right_process(cluster: Cluster, stack: KubernetesStack) -> None:
    """The pause container, probes and the shell that looks are not the part's."""
    assert stack.pids("api") == [7, 12]
    stack.signal("api", SIGTERM)
    stack.signal_process("api", SIGKILL)
    stack.pause("api")
    stack.resume("api")
    sent = [call.partition("sh -c ")[2] for call in cluster.calls if "kill" in call]
    assert sent == ["kill -s TERM 7", "kill -s KILL 12", "kill -s STOP -- -1", "kill -s CONT -- -1"]


def test_a_part_without_a_pod_gets_no_signal(cluster: Cluster, stack: KubernetesStack) -> None:
    """But an error."""
    cluster.has(pod("api-1", leaving=True))
    with pytest.raises(StackError, match="api doesn't run"):
        stack.signal("api", SIGTERM)


def test_files_reach_running_pods_and_later_ones(cluster: Cluster, stack: KubernetesStack) -> None:
    """Through a shell at once, and through the ConfigMap from which pods that start are filled."""
    cluster.has(pod("api-1"), pod("api-2", leaving=True))
    stack.inject("api", {"unready": True})
    assert cluster.given == '{"unready": true}'
    assert any(call.startswith("patch configmap shared") and "api.faults" in call for call in cluster.calls)
    written = "cat > /run/warmstart/.api.faults && mv /run/warmstart/.api.faults /run/warmstart/api.faults"
    assert any(call == f"exec --stdin api-1 -- sh -c {written}" for call in cluster.calls)


def test_a_part_that_is_cut_off_is_stopped(cluster: Cluster, stack: KubernetesStack) -> None:
    """A network policy would leave established connections alone; it starts again with the settings that it had."""
    gone = [{"type": kind, "object": pod("worker-1", leaving=True)} for kind in ("ADDED", "DELETED")]
    cluster.answers("*get pods * --watch *", "\n".join(map(json.dumps, gone)) + "\n")
    stack.cut("worker")
    assert "scale deployment/worker --replicas 0" in cluster.calls
    found = deployment("worker", 0, **{"warmstart/environment": "ENGINE"})
    container = {"name": "worker", "env": [{"name": "ENGINE", "value": "fake"}]}
    found["spec"]["template"] = {"spec": {"containers": [container]}}
    cluster.answers("*get deployment worker*", found)
    stack.mend("worker")
    [patch] = [json.loads(call.partition("--patch ")[2]) for call in cluster.calls if call.startswith("patch")]
    assert patch["spec"]["template"]["spec"]["containers"] == [container]
    assert not any("networkpolicy" in call for call in cluster.calls)


def test_the_probes_are_those_of_the_pod_that_serves(cluster: Cluster, stack: KubernetesStack) -> None:
    """During a rolling restart of the ready one; afterwards of the new one."""
    cluster.answers("*get service *", {"spec": {"clusterIP": "127.0.0.1", "ports": [{"port": 1}]}})
    old, new, warming = pod("api-1"), pod("api-2"), pod("api-2", ready=False)
    old["status"]["podIP"], new["status"]["podIP"], warming["status"]["podIP"] = "127.0.0.1", "127.0.0.2", "127.0.0.2"
    leaving = {**old, "metadata": {**old["metadata"], "deletionTimestamp": "2026-11-26T06:00:00Z"}}
    stack.reach._inside = True
    for pods, expected in (([old], 1), ([warming, old], 1), ([old, new], 1), ([leaving, new], 2), ([new], 2)):
        cluster.has(*pods)
        assert stack.probe_url("api") == f"http://127.0.0.{expected}:1"


def test_addresses_of_ipv6_have_brackets(cluster: Cluster, stack: KubernetesStack) -> None:
    """Those of pods, of services and of stores."""
    found = pod("api-1")
    found["status"]["podIP"] = "fd00::7"
    cluster.has(found)
    cluster.answers("*get service *", {"spec": {"clusterIP": "fd00::1", "ports": [{"port": 1}]}})
    encoded = base64.b64encode(b"postgresql+asyncpg://warmstart:word@postgres:5432/warmstart").decode()
    cluster.answers("*get secret *", {"data": {"database-url": encoded}})
    stack.reach._inside = True
    urls = (stack.probe_url("api"), *stack.scale("api", 1), stack.url("api"), stack.url("postgres"))
    assert [urlsplit(url).hostname for url in urls] == ["fd00::7", "fd00::7", "fd00::1", "fd00::1"]


def test_roll_is_a_rolling_restart(cluster: Cluster, stack: KubernetesStack) -> None:
    """Kubernetes' own; it returns when the old pods are gone."""
    stack.roll("api")
    assert [call for call in cluster.calls if call.startswith("rollout")] == [
        "rollout restart deployment/api",
        "rollout status deployment/api --timeout=300s",
    ]


def test_logs_tell_what_came_before_a_restart(cluster: Cluster, stack: KubernetesStack) -> None:
    """What a container that failed said is what one wants to know."""
    cluster.has(pod("worker-1", restarts=1))
    cluster.answers("*logs worker-1", "second\n")
    cluster.answers("*logs worker-1 --previous", "first\n")
    assert stack.logs("worker") == "first\nsecond\n"


def test_logs_of_a_pod_that_has_said_nothing(cluster: Cluster, stack: KubernetesStack) -> None:
    """A container that is not there yet, or not any more, is no error."""
    cluster.has(pod("worker-1", ready=False, state={"waiting": {"reason": "ContainerCreating"}}))
    cluster.does("*logs*", "echo 'is waiting to start' >&2; exit 1")
    assert stack.logs("worker") == ""


def test_the_environment_is_what_the_last_start_added(cluster: Cluster, stack: KubernetesStack) -> None:
    """Not what the manifest has anyhow: given to the next start, it would hide later changes of that."""
    found = deployment("worker", 1, **{"warmstart/environment": "ENGINE"})
    env = [{"name": "ENGINE", "value": "onnx"}, {"name": "POD_NAME", "valueFrom": {}}]
    found["spec"]["template"] = {"spec": {"containers": [{"name": "worker", "env": env}]}}
    cluster.answers("*get deployment worker*", found)
    assert stack.environment("worker") == {"ENGINE": "onnx"}
    cluster.answers("*get deployment worker*", {**found, "metadata": {"name": "worker"}})
    assert stack.environment("worker") == {}
