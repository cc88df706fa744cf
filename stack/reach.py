"""Reaches a part in a cluster from here: by its own address if possible, else through kubectl port-forward."""

import os
import shlex
import socket
from collections.abc import Callable
from signal import SIGTERM

from stack.daemon import Command, Daemon
from stack.interface import Part
from stack.kubectl import Kubectl
from stack.pods import Pod
from stack.port_claims import free_ports
from stack.ports import HOST, require_free
from stack.site import Site
from stack.waiting import until

CONNECT_SECONDS = 0.5
FORWARD_SECONDS = 15.0
# A forward ends with its pod, or when the pod's container does; the loop starts another one, unless the API server says
# that there is no such pod or Service any more.
KEEP_FORWARDING = """trap 'kill $!; exit' TERM
until found=$({look} 2> /dev/null) && [ -z "$found" ]; do "$@" & wait; sleep 0.2; done"""
LOOK = ("--ignore-not-found", "--output", "name", "--request-timeout", "5s")


class Reach:
    """Addresses of Services and pods.

    Args:
        site: its folder keeps the forwards, its ports are where they listen.
        kubectl: of the namespace.
    """

    def __init__(self, site: Site, kubectl: Kubectl) -> None:
        self._site = site
        self._kubectl = kubectl
        self._inside: bool | None = None

    @property
    def inside(self) -> bool:
        """Whether cluster addresses can be reached from here, as on a node."""
        if self._inside is None:
            api_server = Kubectl("default").json("get", "service", "kubernetes")["spec"]
            self._inside = _answers(api_server["clusterIP"], api_server["ports"][0]["port"]) == "accepts"
        return self._inside

    def service(self, part: Part) -> tuple[str, int]:
        """Host and port of a part's Service: in the cluster, else on a node, else forwarded. Raises StackError."""
        found = self._kubectl.json("get", "service", part)["spec"]
        if self.inside:
            return found["clusterIP"], found["ports"][0]["port"]
        if node_port := found["ports"][0].get("nodePort"):
            for host in self._nodes():
                if _answers(host, node_port):
                    return host, node_port
        return HOST, self._forward(part, f"service/{part}", lambda: self._own(part), found["ports"][0]["port"])

    def pod(self, pod: Pod, port: int) -> tuple[str, int]:
        """Host and port of one pod. Raises StackError."""
        if self.inside:
            return pod.ip, port
        return HOST, self._forward(pod.name, f"pod/{pod.name}", lambda: free_ports()["worker"], port)

    def close(self) -> None:
        """End all forwards."""
        for file in self._site.run.glob("forward-*.json"):
            self._daemon(file.stem.removeprefix("forward-")).stop(SIGTERM, grace=2)

    def _nodes(self) -> list[str]:
        addresses = [each for node in self._kubectl.items("nodes") for each in node["status"]["addresses"]]
        return [each["address"] for each in addresses if each["type"] in ("InternalIP", "ExternalIP")]

    def _own(self, part: Part) -> int:
        """The port of this machine for a part. Raises StackError when it is taken."""
        port = self._site.ports[part]
        require_free({part: port})
        return port

    def _forward(self, name: str, target: str, choose: Callable[[], int], port: int) -> int:
        """A port of this machine that is forwarded there: a chosen one, if there is none yet."""
        daemon = self._daemon(name)
        if daemon.main() and (known := daemon.port()):
            return known
        own = choose()
        forward = self._kubectl.command("port-forward", "--address", HOST, target, f"{own}:{port}")
        keep = KEEP_FORWARDING.format(look=shlex.join(self._kubectl.command("get", target, *LOOK)))
        daemon.start(Command(("/bin/sh", "-c", keep, "sh", *forward), dict(os.environ)), own)
        until(lambda: _answers(HOST, own) == "accepts", FORWARD_SECONDS, f"port-forward to {target}")
        return own

    def _daemon(self, name: str) -> Daemon:
        return Daemon(f"forward-{name}", self._site.run, self._site.logs / f"forward-{name}.log")


def authority(host: str, port: int) -> str:
    """Host and port as in a URL, where IPv6 addresses have brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _answers(host: str, port: int) -> str:
    """`accepts`, `refuses` (a host answers), or nothing."""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        return "refuses"
    except OSError:
        return ""
    return "accepts"
