"""How a part in a cluster is reached: straight where there is a way, else by a forward that finds its next pod."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stack import Part, free_ports, until
from stack.daemon import Daemon
from stack.kubectl import Kubectl
from stack.kubernetes import KubernetesStack
from stack.pods import Pod
from stack.reach import Reach
from stack.tests.cluster import Cluster, deployment, pod

NOBODY = "192.0.2.1"  # kept for documentation: no address of anybody
SECRETS = {
    "data": {
        "database-url": "cG9zdGdyZXNxbCthc3luY3BnOi8vd2FybXN0YXJ0OndAcG9zdGdyZXM6NTQzMi93YXJtc3RhcnQ=",
        "redis-url": "cmVkaXM6Ly86d0B2YWxrZXk6NjM3OS8w",
    }
}
# What kubectl port-forward would do: listen, until its pod goes; here after one connection.
FORWARD = """exec python3 -c "
import socket, sys
server = socket.create_server(('127.0.0.1', int(sys.argv[1].split(':')[0])))
server.accept()[0].close()
" "$9" """


@pytest.fixture
def server() -> Iterator[int]:
    """The port of somebody who accepts connections on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One whose addresses lead nowhere from here."""
    found = Cluster(tmp_path_factory.mktemp("bin"), monkeypatch)
    found.answers("*get service *", service(NOBODY, 8000))
    found.answers("*get service/*", "service/there")
    found.lists("nodes")
    return found


def service(address: str, port: int, node_port: int = 0) -> object:
    """As the API server describes it."""
    return {"spec": {"clusterIP": address, "ports": [{"port": port, "nodePort": node_port}]}}


@pytest.fixture
def ports() -> dict[Part, int]:
    """Free ones."""
    return free_ports()


@pytest.fixture
def stack(tmp_path: Path, ports: dict[Part, int]) -> Iterator[KubernetesStack]:
    """Without a forward afterwards."""
    found = KubernetesStack(tmp_path, ports)
    yield found
    found.reach.close()


def test_on_a_node_a_service_has_its_own_address(cluster: Cluster, stack: KubernetesStack, server: int) -> None:
    """That of the cluster, when the API server answers at its one."""
    cluster.answers("*get service kubernetes*", service("127.0.0.1", server))
    assert stack.url("api") == f"http://{NOBODY}:8000"


def test_probes_are_asked_at_the_pod(cluster: Cluster, stack: KubernetesStack, server: int) -> None:
    """A Service has no way to a pod that isn't ready, and says nothing of why."""
    cluster.answers("*get service kubernetes*", service("127.0.0.1", server))
    cluster.has(pod("worker-1", ready=False))
    cluster.answers("*get service worker*", service(NOBODY, 8001))
    assert stack.probe_url("worker") == "http://127.0.0.1:8001"


def test_secrets_come_from_the_cluster(cluster: Cluster, stack: KubernetesStack, server: int) -> None:
    """With the address in place of the name that only pods can resolve."""
    cluster.answers("*get service kubernetes*", service("127.0.0.1", server))
    cluster.answers("*get service postgres*", service("127.0.0.1", 5432))
    cluster.answers("*get service valkey*", service("127.0.0.1", 6379))
    cluster.answers("*get secret warmstart*", SECRETS)
    assert stack.url("postgres") == "postgresql+asyncpg://warmstart:w@127.0.0.1:5432/warmstart"
    assert stack.url("valkey") == "redis://:w@127.0.0.1:6379/0"


def test_elsewhere_a_node_port_will_do(cluster: Cluster, stack: KubernetesStack, server: int) -> None:
    """It loses no connection when a pod goes, unlike a forward; a node that can't be reached is passed over."""
    cluster.answers("*get service api*", service(NOBODY, 8000, server))
    cluster.lists("nodes", *({"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}},))
    assert stack.url("api") == f"http://127.0.0.1:{server}"


def test_a_forward_finds_the_next_pod(cluster: Cluster, stack: KubernetesStack, ports: dict[Part, int]) -> None:
    """It ends with its pod, and is begun again; a second question finds the same forward."""
    cluster.does("*port-forward*", FORWARD)
    assert stack.url("api") == f"http://127.0.0.1:{ports['api']}" == stack.url("api")
    forward = f"port-forward --address 127.0.0.1 service/api {ports['api']}:8000"
    until(lambda: connects(ports["api"]) and cluster.calls.count(forward) >= 3, 10, "a third forward")


def test_a_forward_to_a_pod_ends_with_it(cluster: Cluster, stack: KubernetesStack) -> None:
    """It is begun again until the API server says that there is no such pod; no answer says nothing."""
    cluster.does("*port-forward*", FORWARD)
    cluster.does("*get pod/api-1 *", "exit 1")
    _, port = stack.reach.pod(Pod.of(pod("api-1")), 8000)
    forward = f"port-forward --address 127.0.0.1 pod/api-1 {port}:8000"
    until(lambda: connects(port) and cluster.calls.count(forward) >= 3, 10, "a third forward")
    cluster.answers("*get pod/api-1 *", "")
    loop = Daemon("forward-api-1", stack.site.run, stack.site.logs / "forward-api-1.log")

    def has_ended() -> bool:
        with suppress(OSError):
            connects(port)
        return loop.main() is None

    until(has_ended, 10, "the end of the loop")


def connects(port: int) -> bool:
    """Raises OSError when nobody listens."""
    socket.create_connection(("127.0.0.1", port), timeout=1).close()
    return True


def test_forwards_end(cluster: Cluster, stack: KubernetesStack, ports: dict[Part, int]) -> None:
    """All of them, also for who didn't begin them."""
    cluster.does("*port-forward*", FORWARD)
    stack.url("worker")
    Reach(stack.site, Kubectl("warmstart")).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports["worker"]), timeout=1)


def test_each_replica_has_an_address(cluster: Cluster, stack: KubernetesStack, server: int) -> None:
    """What scale returns; the autoscaler, which would scale back, is gone."""
    cluster.answers("*get service kubernetes*", service("127.0.0.1", server))
    cluster.has(pod("api-1"), pod("api-2"))
    cluster.lists("deployments", deployment("api", 2))
    assert stack.scale("api", 2) == ["http://127.0.0.1:8000"] * 2  # the stand-in gives all pods one address
    scaling = [call for call in cluster.calls if "scale" in call]
    assert scaling == [
        "delete horizontalpodautoscaler api --ignore-not-found",
        "scale deployment/api --replicas 2",
    ]
