"""How an api of a drill's own reaches several workers.

On compose a name leads to all of them, on Kubernetes a Service. Embedded, each has a port of its own.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from drills.balancer import Balancer
from drills.drill import Drill
from drills.names import ADDRESS, name_server
from stack import free_ports

NAME, HOSTS = "workers.drill", ("127.0.0.2", "127.0.0.3", "127.0.0.4")  # all of them are this machine


@contextmanager
def balanced(drill: Drill) -> Iterator[Balancer | None]:
    """The api with its drill's settings, and where no part of the stack does it, one address for all workers."""
    if drill.system.kind != "embedded":
        drill.start("api")
        yield None
        return
    with Balancer([drill.stack.url("worker")]) as balancer:
        drill.start("api", WORKER_URL=balancer.url)
        yield balancer


@contextmanager
def named(drill: Drill, replicas: list[str]) -> Iterator[None]:
    """The api with its drill's settings, and one name for all workers, each of which has an address of its own."""
    if drill.system.kind != "embedded":
        drill.start("api")
        yield
        return
    port, hosts = free_ports()["worker"], HOSTS[: len(replicas)]
    folder = drill.stack.share("resolv.conf", f"nameserver {ADDRESS}\n")
    with ExitStack() as opened:
        for host, replica in zip(hosts, replicas, strict=True):
            opened.enter_context(Balancer([replica], host, port, blind=True))
        opened.enter_context(name_server(NAME, *hosts))
        drill.start("api", WORKER_URL=f"http://{NAME}:{port}", DRILL_RESOLV_CONF=f"{folder}/resolv.conf")
        yield
