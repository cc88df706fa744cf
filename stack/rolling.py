"""Several replicas of a compose service, and its rolling restart."""

from collections.abc import Mapping

from stack.docker import Container, docker
from stack.errors import StackError
from stack.http import ask
from stack.interface import Part
from stack.ports import HOST
from stack.project import Project
from stack.waiting import until

READY_SECONDS = 120.0  # above STARTUP_TIMEOUT

Settings = Mapping[Part, Mapping[str, str]]


def scale(project: Project, part: Part, port: int, replicas: int, settings: Settings) -> list[str]:
    """Run so many containers of a service, all ready; `port` is its port inside. Returns their addresses."""
    wanted = ("--scale", f"{part}={replicas}", part)
    project.run("up", "--detach", "--no-build", "--no-deps", "--no-recreate", *wanted, settings=settings)
    found = _running(project, part)
    for each in found:
        until(lambda each=each: _ready(_url(each, port)), READY_SECONDS, f"{each.name} ready")  # type: ignore[misc]
    return [_url(each, port) for each in found]


def roll(project: Project, part: Part, port: int, settings: Settings) -> None:
    """Start as many new containers, then stop the old ones, which drain side by side. Raises StackError."""
    old = _running(project, part)
    if not old:
        raise StackError(f"{part} doesn't run")
    scale(project, part, port, 2 * len(old), settings)
    ids = [each.id for each in old]
    docker("stop", "--time", "30", *ids)  # stop_grace_period in compose.yaml
    docker("rm", *ids)


def _running(project: Project, part: Part) -> list[Container]:
    return [each for each in project.containers(part) if each.runs]


def _url(container: Container, port: int) -> str:
    return f"http://{HOST}:{container.ports[port]}"


def _ready(url: str) -> bool:
    answer = ask(f"{url}/readyz")
    if answer.status != 200:
        raise ConnectionError(answer.body.decode(errors="replace"))
    return True
