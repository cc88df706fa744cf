"""A container that gets another address."""

from collections.abc import Iterator
from contextlib import contextmanager

from stack import ComposeStack, Part
from stack.docker import docker

ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
MOST = 8
WAITS = "import time; time.sleep(600)"


def address(stack: ComposeStack, part: Part) -> str:
    """Where its first container is; empty while it is on no network."""
    return next(each.address for each in stack.project.containers(part) if each.runs)


@contextmanager
def taken(stack: ComposeStack, address: str, image: str) -> Iterator[None]:
    """Have somebody else at this address, who does nothing: one container more, until one of them got it."""
    options = ("--detach", "--rm", "--network", stack.project.network, "--entrypoint", "python")
    made: list[str] = []
    try:
        for _ in range(MOST):
            made.append(docker("run", *options, image, "-c", WAITS).strip())
            if docker("inspect", "--format", ADDRESS, made[-1]).strip() == address:
                break
        yield
    finally:
        docker("kill", *made)
