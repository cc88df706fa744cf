"""Small changes to a manifest, for tests that want it refused."""

from collections.abc import Callable
from typing import Any, TypeAlias

from deploy.tests.manifests import Object

Change: TypeAlias = Callable[[Object], None]


def at(place: str, value: Any) -> Change:
    """Put a value at keys and indices between slashes, where `~` stands for a slash; None removes what is there."""

    def change(found: Any) -> None:
        *way, last = (int(each) if each.isdecimal() else each.replace("~", "/") for each in place.split("/"))
        for each in way:
            found = found[each]
        if value is None:
            del found[last]
        else:
            found[last] = value

    return change


def variable(name: str, value: str | None) -> Change:
    """Set a variable of the only container, or remove it."""

    def change(found: Object) -> None:
        spec = found["properties"]["template"] if "properties" in found else found["spec"]["template"]["spec"]
        [container] = (spec["template"]["spec"] if "template" in spec else spec)["containers"]
        container["env"] = [each for each in container["env"] if each["name"] != name]
        container["env"] += [{"name": name, "value": value}] if value is not None else []

    return change
