"""The lab where it can't look at the worker's processes, and where the worker can't start by every strategy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.lab.run import Lab
from loadtest.lab.session import recorded_stack
from loadtest.lab.strategies import Strategy
from loadtest.lab.trials import quiet_trial, started
from stack import EmbeddedStack, KubernetesStack, Part, StackError, free_ports
from stack.choice import current
from stack.interface import EVERY
from stack.tests.cluster import Cluster

FAKE = Strategy("fake", "fake", {"ENGINE": "fake"})
WARM = Strategy("warm", "warm", {"ENGINE": "sentence-transformers"})
WITHOUT_TORCH = """
import importlib.util

find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "sentence_transformers" else find(name, *rest)
"""


class Elsewhere(EmbeddedStack):
    """Its processes have numbers that say nothing here, as those of pods."""

    local = False

    def pids(self, part: Part) -> list[int]:
        """As a pod numbers them."""
        return [1, 7] if super().pids(part) else []


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[EmbeddedStack]:
    """One whose worker the lab may start."""
    stack = Elsewhere(tmp_path / "stack", free_ports(), parts=("worker",))
    yield stack
    stack.down()


def test_a_start_elsewhere_is_followed_by_what_it_answers(elsewhere: EmbeddedStack) -> None:
    """From the moment it was asked for; the first to accept may be a port-forward, and the CPUs are others."""
    trial = quiet_trial(elsewhere, FAKE, 1, requests=2)
    assert trial.valid
    assert trial.others is None
    assert trial.start["accept"] is None
    first, ready = trial.start["first_answer"], trial.start["readyz"]
    assert first is not None
    assert ready is not None
    assert 0 < first <= ready
    assert len(trial.shapes["3 words"]) == 2


def test_an_end_elsewhere_is_noticed(elsewhere: EmbeddedStack) -> None:
    """By its exit code, with the reason from its log."""
    missing = Strategy("missing", "missing", {"ENGINE": "onnx", "ARTIFACTS": "/nonexistent"})
    with (
        pytest.raises(StackError, match="is no artifact of all-MiniLM-L6-v2"),
        started(elsewhere, missing),
    ):
        pass


def test_the_stack_of_a_cluster_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ports are asked for while its pods are there, so that a port-forward that is needed exists afterwards."""
    cluster = Cluster(tmp_path, monkeypatch)
    service = {"spec": {"clusterIP": "127.0.0.1", "ports": [{"port": 8001, "nodePort": 30001}]}}
    cluster.answers("*get service *", service)
    cluster.lists("nodes", {"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}})
    secrets = {"database-url": "cG9zdGdyZXM6NTQzMg==", "redis-url": "dmFsa2V5OjYzNzk="}  # postgres:5432, valkey:6379
    cluster.answers("*get secret *", {"data": secrets})
    monkeypatch.setenv("STACK", "kubernetes")
    assert isinstance(recorded_stack(tmp_path), KubernetesStack)
    assert {"get service worker --output json", "get service api --output json"} <= set(cluster.calls)


def test_a_worker_without_torch_is_measured_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Strategies that it can't start by are left out, by name; the others run."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TORCH)
    environment = {"PYTHONPATH": str(tmp_path)}
    stack = EmbeddedStack(tmp_path / "stack", free_ports(), parts=("worker",), environment=environment)
    measurement = Lab(stack, tmp_path / "report").measure((WARM, FAKE), ["quiet"], 1)
    assert {trial.strategy for trial in measurement.trials} == {"fake"}
    assert "Left out, since this worker has no torch: warm" in capsys.readouterr().out
    with pytest.raises(ValueError, match="nothing to measure"):
        Lab(stack, tmp_path / "report").measure((WARM,), ["quiet"], 1)


def test_the_lab_s_stack_knows_where_each_part_would_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A part that isn't of every system, too: the services are told its address."""
    monkeypatch.setenv("STACK", "embedded")
    stack = recorded_stack(tmp_path)
    assert {part: stack.url(part) for part in EVERY} == {part: current(tmp_path).url(part) for part in EVERY}
