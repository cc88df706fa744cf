"""Passwords: in no image, in no log."""

import pytest

from stack import ComposeStack
from stack.docker import docker
from tests.containers.helpers import IMAGES, inspect


def test_no_image_holds_a_secret() -> None:
    """No layer was made with one, and no variable of the image is one."""
    for image in IMAGES.values():
        history = docker("history", "--no-trunc", image)
        assert "PASSWORD" not in (history + str(inspect(image)["Config"])).upper()


@pytest.mark.parametrize("service", ["api", "worker", "migrate", "postgres", "valkey", "front"])
def test_no_log_holds_a_secret(replicas: ComposeStack, service: str) -> None:
    """Nor do the arguments of a process, which everybody on the host can read."""
    secrets = replicas.site.secrets
    containers = replicas.project.containers(service)
    said = replicas.project.run("logs", service)
    arguments = [docker("top", each.id, "-eo", "pid,args") for each in containers if each.runs]
    assert containers
    for text in (said, *arguments):
        assert secrets.postgres not in text
        assert secrets.redis not in text
