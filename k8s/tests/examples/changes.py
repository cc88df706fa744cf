"""Small changes to a rendered overlay, and what a rule must say to them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from k8s.tests.rules.manifest import Manifest, Object, Pod

Change = Callable[[Manifest], None]


class Example(NamedTuple):
    """One way to break a rule."""

    overlay: str  # or combination
    change: Change
    message: str


def pod(manifest: Manifest, name: str) -> Pod:
    """The workload of that name."""
    return next(each for each in manifest.pods if each.name == name)


def at(found: Any, path: str) -> tuple[Any, str | int]:
    """Where the last step of a path like `spec.containers.0.image` is set; folders are made as needed."""
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split("/")]
    for step in steps:
        found = found[step] if isinstance(step, int) else found.setdefault(step, {})
    return found, last


def put(kind: str, name: str, path: str, value: object) -> Change:
    """Set one field of one object."""

    def change(manifest: Manifest) -> None:
        place, last = at(manifest.get(kind, name), path)
        place[last] = value

    return change


def drop(kind: str, name: str, path: str = "") -> Change:
    """Remove one field of one object, or all of it."""

    def change(manifest: Manifest) -> None:
        found = manifest.get(kind, name)
        if not path:
            manifest.objects.remove(found or {})
            return
        place, last = at(found, path)
        del place[last]

    return change


def in_api(path: str, value: object) -> Change:
    """Set one field of the api's container."""
    return put("Deployment", "api", f"spec/template/spec/containers/0/{path}", value)


def in_worker(path: str, value: object) -> Change:
    """Set one field of the worker's container."""
    return put("Deployment", "worker", f"spec/template/spec/containers/0/{path}", value)


def in_pod(path: str, value: object) -> Change:
    """Set one field of the api's pod."""
    return put("Deployment", "api", f"spec/template/spec/{path}", value)


def setting(name: str, value: str, service: str = "api") -> Change:
    """Give a service one variable more."""

    def change(manifest: Manifest) -> None:
        pod(manifest, service).main.setdefault("env", []).append({"name": name, "value": value})

    return change


def added(found: Object) -> Change:
    """Add an object."""
    return lambda manifest: manifest.objects.append({"metadata": {"name": "added", "namespace": "warmstart"}} | found)


def both(first: Change, second: Change) -> Change:
    """One change, then another."""

    def change(manifest: Manifest) -> None:
        first(manifest)
        second(manifest)

    return change


def open_policy(client: str, port: int) -> Object:
    """Lets one pod talk to anybody on a port."""
    labels = {"matchLabels": {"app.kubernetes.io/name": client}}
    return {
        "kind": "NetworkPolicy",
        "spec": {"podSelector": labels, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": port}]}]},
    }


def stores(*addresses: str) -> list[Object]:
    """Lets the api talk to a pooler in front of Postgres, at these addresses or anywhere."""
    pooler: Object = {"ports": [{"protocol": "TCP", "port": 6432}]}
    return [{**pooler, "to": [{"ipBlock": {"cidr": each}} for each in addresses]} if addresses else pooler]


def local(change: Change, message: str) -> Example:
    """Of the local overlay."""
    return Example("local", change, message)


def replacing(change: Change, message: str) -> Example:
    """Of the local overlay while a model is being replaced."""
    return Example("replacing", change, message)


def production(change: Change, message: str) -> Example:
    """Of the production overlay."""
    return Example("production", change, message)
