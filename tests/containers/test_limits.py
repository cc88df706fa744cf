"""A worker of one CPU, with the real model, under load."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import ComposeStack, free_ports
from stack.docker import Container, docker
from tests.containers.helpers import discarded, inspect
from tests.harness import Load

LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "10"))
TEXTS = ["word " * 300] * 8 + ["a short sentence"] * 24


@pytest.fixture(scope="module")
def stack(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """The worker and the front door alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKER_CPUS", "1")
        folder: Path = tmp_path_factory.mktemp("limits")
        with discarded(ComposeStack(folder, free_ports(), parts=["worker"])) as stack:
            stack.up()
            yield stack


@pytest.fixture
def worker(stack: ComposeStack) -> Container:
    """Its container."""
    return stack.project.containers("worker")[0]


def test_only_its_parts_were_started(stack: ComposeStack) -> None:
    """A stack of a part is that part, and the front door it is reached by."""
    assert {each.service for each in stack.project.containers()} == {"worker", "front"}


def test_the_model_gets_as_many_threads_as_cpus(stack: ComposeStack) -> None:
    """One, whatever the host has."""
    assert "model threads: 1" in stack.logs("worker")


def test_it_stays_below_its_memory_limit(
    stack: ComposeStack, worker: Container, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under load of long and short texts it is never killed for its memory, and answers to the end."""
    limit = inspect(worker.id)["HostConfig"]["Memory"]
    port = int(stack.url("worker").rsplit(":", 1)[1])
    used: list[int] = []
    with Load(port, "/embeddings/", payload={"texts": TEXTS}) as load:
        end = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < end:
            used.append(resident(worker))
    with capsys.disabled():
        print(f"\nworker: at most {max(used) / 2**20:.0f} MiB of {limit / 2**20:.0f} in {LOAD_SECONDS:g} s,", end=" ")
        print(dict(load.ledger.before + load.ledger.after))
    state = inspect(worker.id)
    assert 0 < max(used) < limit
    assert (state["State"]["OOMKilled"], state["RestartCount"]) == (False, 0)
    assert load.ledger.before[200] > 0


def resident(container: Container) -> int:
    """Bytes in memory of all its processes."""
    pages = "cat /proc/[0-9]*/statm | awk '{sum += $2} END {print sum}'"
    return int(docker("exec", container.id, "sh", "-c", pages)) * os.sysconf("SC_PAGE_SIZE")
