"""Drills where Kubernetes is in the way: kubectl is a stand-in, pods are small servers, scenario and stack are real."""

import json
import runpy
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drills.drill import Drill
from drills.expected import matches
from drills.matrix import ROWS
from drills.options import Options
from drills.result import Result
from drills.rows.common import NEW_POD
from drills.system import System
from drills.tests.pods import pod_server
from drills.watch import Watch
from stack import PARTS, free_ports, until
from stack.kubernetes import KubernetesStack
from stack.tests.cluster import Cluster, deployment, pod

SCENARIOS = Path(__file__).parents[1] / "scenarios"
LISTED = "1 (pause) S 0 1 1\n7 (gunicorn: maste) S 0 7 7\n12 (gunicorn) S 7 7 7\n41 (sh) S 0 41 41\n41\n"
NO_ENDPOINT = "127.0.0.9"  # of a Service: nothing listens there
WARMING = pod("worker-1", ready=False)


def ended(name: str, code: int) -> dict[str, Any]:
    """A pod whose container has ended, and was started again by the kubelet."""
    return pod(name, ready=False, last={"terminated": {"exitCode": code}}, restarts=1)


class Brisk(Drill):
    """It holds still for a tenth of the time."""

    def hold(self, seconds: float) -> None:
        """See `Drill.hold`."""
        time.sleep(seconds / 10)


class Steady(System):
    """It is steady, whatever is done to it."""

    def configure(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def heal(self) -> None:
        """Nothing."""

    def prove_steady(self) -> None:
        """Nothing."""


class Scene:
    """A cluster in which no service runs; files on which its pods depend."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder, self.cluster, self.port = folder, cluster, free_ports()["worker"]
        self.stack = KubernetesStack(folder / "stack")
        self.stack.reach._inside = True
        self.switched_off = folder / "switched-off"
        cluster.lists("deployments", *(deployment(part) for part in PARTS))
        cluster.lists("events")
        for part in PARTS:
            cluster.answers(f"*get deployment {part} *", deployment(part, 0))
        cluster.answers("*get service *", {"spec": {"clusterIP": NO_ENDPOINT, "ports": [{"port": self.port}]}})
        cluster.answers("*exec * sh -c for*", LISTED)
        # A real kubectl takes its time, too: the watch sees what comes next.
        cluster.does("""*patch configmap shared *'"{}"'*""", f"touch {self.switched_off}; sleep 0.5")
        cluster.does("*get pods *--output json", f"cat {self.file()}")
        for part in PARTS:
            gone = [{"type": kind, "object": pod(f"{part}-1", leaving=True)} for kind in ("ADDED", "DELETED")]
            cluster.answers(f"*get pods *={part} --watch *", "\n".join(map(json.dumps, gone)) + "\n")

    def file(self, *pods: dict[str, Any], name: str = "pods") -> Path:
        """What `get pods` finds, now or when it is copied to where it is looked for."""
        path = self.folder / name
        path.write_text(json.dumps({"items": pods}))
        return path

    def then(self, command: str, *pods: dict[str, Any]) -> None:
        """A command of kubectl's after which these are the pods."""
        file = self.file(*pods, name=f"after-{abs(hash(command))}")
        self.cluster.does(command, f"cp {file} {self.folder / 'pods'}; touch {self.folder / 'done'}")

    def phase(self) -> str:
        """Of a container that warms up for as long as the switch is on."""
        return "ready" if self.switched_off.exists() else "warming"

    def play(self, name: str, *, controlled: bool = False, gated: bool = True) -> Result:
        """The result of a drill whose pod has the address that `pod` gives it."""
        row = next(each for each in ROWS if each.name == name)
        options = Options(40, 1, self.folder / "reports")
        drill = Brisk(row, Steady(self.stack, "kubernetes"), options, self.folder / "rows", 1, controlled=controlled)
        scenario = runpy.run_path(str(SCENARIOS / "test_start.py"))[f"test_{name}"]
        with pod_server("127.0.0.1", self.port, self.phase, gated=gated), drill:
            scenario(drill)
        return drill.result


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """One on a port of its own."""
    (tmp_path / "bin").mkdir()
    return Scene(tmp_path, Cluster(tmp_path / "bin", monkeypatch))


def test_the_gate_is_met_past_the_service(scene: Scene) -> None:
    """slow_warmup: the Service refuses, which says nothing about the worker; its pod answers with a typed 503."""
    scene.then("*patch deployment worker *", WARMING)
    result = scene.play("slow_warmup")
    assert (result.verdict, result.violations) == ("held", [])
    assert result.ledger
    assert set(result.ledger.failed) == {"503 not_ready"}


def test_without_the_gate_the_control_fails(scene: Scene) -> None:
    """slow_warmup: its requests reach the process that isn't warm."""
    scene.then("*patch deployment worker *", WARMING)
    assert scene.play("slow_warmup", controlled=True, gated=False).verdict == "failed as it must"


def test_what_the_kubelet_starts_again_is_not_the_drills(scene: Scene) -> None:
    """warmup_over_budget: once the switch is off, the next container becomes ready, which is no second chance."""
    scene.then("*patch deployment worker *", ended("worker-1", 3))
    scene.cluster.answers("*logs worker-1*", "ERROR start failed: not ready within 1 s; faults opening\n")
    result = scene.play("warmup_over_budget")
    assert (result.verdict, result.violations) == ("held", [])
    assert result.measures["exit_code"] == "3"


def test_a_container_that_left_may_come_back(scene: Scene) -> None:
    """sigterm_while_warming: the kubelet starts the container again at once."""
    scene.then("*patch deployment worker *", WARMING)
    scene.then("*exec worker-1 -- sh -c kill -s TERM 7", ended("worker-1", 0))
    result = scene.play("sigterm_while_warming")
    assert (result.verdict, result.violations) == ("held", [])


def test_an_api_that_ended_has_not_waited(scene: Scene) -> None:
    """start_in_any_order: its container answers again, since the kubelet started it once more; the control fails."""
    scene.then("*patch deployment api *", ended("api-1", 3))
    result = scene.play("start_in_any_order", controlled=True)
    assert result.verdict == "failed as it must"
    assert "exit code 3" in dict(result.violations)["it waits"]


def test_the_watch_goes_on_at_the_new_pod(scene: Scene) -> None:
    """Both rolling restarts: the old pod's address answers nobody any more; the new one's is asked for."""
    first, second = pod("api-1"), pod("api-2")
    second["status"]["podIP"] = "127.0.0.2"
    scene.file(first)
    with pod_server("127.0.0.2", scene.port, lambda: "ready"):
        with pod_server("127.0.0.1", scene.port, lambda: "ready"):
            watch = Watch(partial(scene.stack.probe_url, "api"))
            watch.start()
            until(lambda: watch.tracks["/readyz"].now == "200", 5, "the old pod's answer")
            scene.file(first, second)
        scene.file(second)
        until(lambda: len(watch.tracks["/readyz"].values) == 3, 10, "another answer")
        watch.stop()
    assert all(matches(NEW_POD.ready, track.values) for track in watch.tracks.values())
