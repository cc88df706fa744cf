"""The images, built once, and two stacks of containers that nothing else on this machine gets in the way of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import ComposeStack, Part, free_ports, until
from stack.docker import Container
from tests.containers.helpers import begin, discarded
from tests.harness import get


def pytest_itemcollected(item: pytest.Item) -> None:
    """Every test in this folder needs one."""
    item.add_marker("engine")


@pytest.fixture(scope="session", autouse=True)
def images(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`warmstart-api` and `warmstart-worker`, from the sources as they are now."""
    ComposeStack(tmp_path_factory.mktemp("images"), free_ports()).project.make_images(["api", "worker"])


@pytest.fixture(scope="package")  # gone before other tests need the CPUs
def replicas(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """Two apis and two workers; the workers are fake, so that load is the services' own."""
    settings = {"ENGINE": "fake", "LOG_LEVEL": "warning"}
    with discarded(ComposeStack(tmp_path_factory.mktemp("replicas"), free_ports(), environment=settings)) as stack:
        stack.up()
        begin(stack, "--scale", "api=2", "--scale", "worker=2", "api", "worker")
        yield stack


@pytest.fixture
def apis(replicas: ComposeStack) -> list[Container]:
    """Both api containers, started again if a test stopped them, and ready."""
    begin(replicas, "--scale", "api=2", "api")
    found = replicas.project.containers("api")
    for each in found:
        until(lambda each=each: get(each.ports[8000], "/readyz").status == 200, 30, f"{each.name} ready")  # type: ignore[misc]
    return found


@pytest.fixture
def ports(replicas: ComposeStack) -> dict[Part, int]:
    """Where the front door of `replicas` listens."""
    return {part: int(replicas.url(part).rsplit(":", 1)[1]) for part in ("api", "worker")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For a stack of the test's own."""
    return tmp_path / "stack"
