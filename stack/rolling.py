"""A rolling restart of a compose service: as many new containers first, then the old ones one after the other."""

from collections.abc import Mapping

from stack.docker import Container, docker
from stack.errors import StackError
from stack.health import fetch
from stack.interface import Part
from stack.polling import poll_until
from stack.ports import HOST
from stack.project import Project

READY_SECONDS = 120.0  # above STARTUP_TIMEOUT


def roll(project: Project, part: Part, port: int, settings: Mapping[Part, Mapping[str, str]]) -> None:
    """Replace the containers of a service; `port` is its own, inside. Raises StackError."""
    old = [each for each in project.containers(part) if each.runs]
    if not old:
        raise StackError(f"{part} doesn't run")
    scale = ("--scale", f"{part}={2 * len(old)}")
    project.run("up", "--detach", "--no-build", "--no-deps", "--no-recreate", *scale, part, settings=settings)
    known = {each.id for each in old}
    for each in project.containers(part):
        if each.id not in known:
            poll_until(lambda each=each: _ready(each, port), READY_SECONDS, f"{each.name} ready")  # type: ignore[misc]
    for each in old:
        docker("stop", "--time", "30", each.id)  # as stop_grace_period in compose.yaml
        docker("rm", each.id)


def _ready(container: Container, port: int) -> bool:
    status, body = fetch(f"http://{HOST}:{container.ports[port]}/readyz")
    if status != 200:
        raise ConnectionError(body.decode(errors="replace"))
    return True
