"""What the container tests have in common."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stack import ComposeStack, StackError, until
from stack.docker import docker

IMAGES = {"api": "warmstart-api:0.1.0", "worker": "warmstart-worker:0.1.0"}


@contextmanager
def discarded(stack: ComposeStack) -> Iterator[ComposeStack]:
    """Containers, network and volume are gone after it, whatever happens inside."""
    try:
        yield stack
    finally:
        stack.discard()


def begin(stack: ComposeStack, *arguments: str) -> None:
    """`docker compose up` with these arguments; returns when the containers are started."""
    stack.project.run("up", "--detach", "--no-build", "--no-deps", "--no-recreate", *arguments)


@contextmanager
def running(image: str, *options: str) -> Iterator[str]:
    """The id of a container of its own, with an init as compose.yaml has it; removed afterwards."""
    container = docker("run", "--detach", "--init", *options, image).strip()
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def inspect(name: str) -> Any:
    """What the engine knows of a container or an image."""
    return json.loads(docker("inspect", name))[0]


def logs(container: str) -> str:
    """All it has written: the services log to standard error."""
    return docker("logs", container, merge=True)


def succeeds(container: str, *command: str) -> bool:
    """Whether a command does, run inside. Raises RuntimeError otherwise, which for `until` means "not yet"."""
    try:
        docker("exec", container, *command)
    except StackError as error:
        raise RuntimeError(str(error)) from error
    return True


def ask(container: str, port: int, path: str, host: str = "127.0.0.1") -> bool:
    """Whether a GET gives 200, asked from inside, since a container may have no network. Raises RuntimeError."""
    return succeeds(
        container, "python", "-c", f"import urllib.request as u; u.urlopen('http://{host}:{port}{path}', timeout=2)"
    )


def wait_exit(container: str, seconds: float = 30) -> int:
    """The exit status of its main process, once it has ended."""
    until(lambda: not inspect(container)["State"]["Running"], seconds, "exit", lambda: logs(container)[-1500:])
    return int(inspect(container)["State"]["ExitCode"])
