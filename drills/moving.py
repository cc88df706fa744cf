"""A container that gets another address."""

from collections.abc import Iterator
from contextlib import contextmanager

from stack import ComposeStack, Part
from stack.docker import docker

WAITS = "import time; time.sleep(600)"


def address(stack: ComposeStack, part: Part) -> str:
    """Where its first container is; empty while it is on no network."""
    return next(each.address for each in stack.project.containers(part) if each.runs)


@contextmanager
def taken(stack: ComposeStack, image: str) -> Iterator[None]:
    """Give the lowest free address of the network to somebody else, who has a Python and does nothing."""
    options = ("--detach", "--rm", "--network", stack.project.network, "--entrypoint", "python")
    container = docker("run", *options, image, "-c", WAITS).strip()
    try:
        yield
    finally:
        docker("kill", container)
