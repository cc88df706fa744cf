"""The local overlay with the real images: what its manifests allow is enough; a stop and a freeze reach its pods."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest

from k8s.tests.rendering import COMBINATIONS, K8S, render
from k8s.tests.rules.manifest import Pod
from stack import inside, until
from stack.docker import docker
from tests.containers.helpers import ask, inspect, logs, succeeds, wait_exit
from tests.containers.pods import ANY_USER, Node

pytestmark = pytest.mark.kubectl

PORTS = {"api": 8000, "worker": 8001}
SHARED_MEMORY = 64 * 2**20  # bytes of /dev/shm that a container has


@pytest.fixture(scope="module")
def containers(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The main container of each pod, all of them ready."""
    manifest = render(K8S)
    pods = {pod.name: pod for pod in manifest.pods}
    folder = tmp_path_factory.mktemp("secrets")
    folder.chmod(0o755)
    with Node.of(manifest, folder) as node:
        started = {name: node.start(pod) for name, pod in pods.items()}
        for name, container in started.items():
            if name != "migrate":
                _wait_ready(container, pods[name])
        yield started


def _wait_ready(container: str, pod: Pod) -> None:
    """By what its readiness probe asks."""

    def probe() -> bool:
        if pod.name in PORTS:
            return ask(container, PORTS[pod.name], "/readyz")
        return succeeds(container, *pod.main["readinessProbe"]["exec"]["command"])

    until(probe, 90, f"{pod.name} ready", lambda: logs(container)[-1500:])


def test_they_work_together(containers: dict[str, str]) -> None:
    """Without a human or an order: the migration waited for Postgres, the api for the migration and the worker."""
    assert wait_exit(containers["migrate"]) == 0
    assert "the schema is at revision" in logs(containers["migrate"])
    assert {name: inspect(each)["RestartCount"] for name, each in containers.items()} == dict.fromkeys(containers, 0)


def test_a_new_postgres_makes_its_schema(containers: dict[str, str]) -> None:
    """Its own migration needs no password and no Job, and ends with what the pod's readiness asks for."""
    postgres = next(pod for pod in render(K8S).pods if pod.name == "postgres")
    [schema] = postgres.spec["containers"][1:]
    beside = inspect(containers["postgres"])["Name"].removesuffix(postgres.name) + schema["name"]
    docker("exec", beside, *schema["readinessProbe"]["exec"]["command"])
    assert "the schema is at revision" in logs(beside)


def test_the_stores_run_as_any_user(images: None, tmp_path: Path) -> None:
    """As OpenShift starts them: without a user of the image's, in group 0."""
    tmp_path.chmod(0o755)
    manifest = render(COMBINATIONS / "openshift")
    with Node.of(manifest, tmp_path, "openshift") as node:
        stores = {node.start(pod): pod for pod in manifest.pods if pod.name in ("postgres", "valkey")}
        for container, pod in stores.items():
            _wait_ready(container, pod)
            assert docker("exec", container, "id", "--user").strip() == ANY_USER.partition(":")[0]


def test_valkey_knows_its_password(containers: dict[str, str]) -> None:
    """Its probe needs none; whoever wants to read does."""
    assert "NOAUTH" in docker("exec", containers["valkey"], "valkey-cli", "get", "key")


def test_the_data_of_postgres_can_be_saved(containers: dict[str, str]) -> None:
    """The stack takes it out of the pod before that goes; it can be put back over the schema that a new pod has."""
    dump = docker("exec", containers["postgres"], *inside.DUMP)
    assert "alembic_version" in dump
    restore = ("docker", "exec", "--interactive", containers["postgres"], *inside.RESTORE)
    done = subprocess.run(restore, input=dump, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert docker("exec", containers["postgres"], *inside.DUMP).count("\n") == dump.count("\n")


@pytest.mark.parametrize("name", list(PORTS))
def test_shared_memory_is_enough(containers: dict[str, str], name: str) -> None:
    """The only place where the services write: a quarter of what every container has suffices."""
    used = docker("exec", containers[name], "sh", "-c", "du -sb /dev/shm | cut -f1")
    assert 0 < int(used) < SHARED_MEMORY / 4


@pytest.mark.parametrize("name", ["api", "worker", "postgres", "valkey"])
def test_a_freeze_reaches_all_processes(containers: dict[str, str], name: str) -> None:
    """What `stack` runs in a pod stops every process, main one included, and lets all go on."""
    container = containers[name]
    found = inside.processes(docker("exec", container, "sh", "-c", inside.LIST))
    assert found
    docker("exec", container, *inside.to_all(SIGSTOP))
    states = _states(container)
    docker("exec", container, *inside.to_all(SIGCONT))
    assert {states[pid] for pid in found} == {"T"}
    until(lambda: "T" not in _states(container).values(), 5, "all going on", lambda: _states(container))


def _states(container: str) -> dict[int, str]:
    lines = docker("exec", container, "sh", "-c", inside.LIST).splitlines()[:-1]
    return {int(line.split()[0]): line.rpartition(")")[2].split()[0] for line in lines}


def test_a_stop_of_a_ready_service(containers: dict[str, str]) -> None:
    """The main process that `stack` signals is gunicorn's master: it drains and exits with 0."""
    main = inside.processes(docker("exec", containers["api"], "sh", "-c", inside.LIST))[0]
    docker("exec", containers["api"], *inside.to_one(SIGTERM, main))
    assert wait_exit(containers["api"]) == 0


@pytest.mark.parametrize("name", ["api", "worker"])
def test_a_stop_while_python_imports(containers: dict[str, str], name: str) -> None:
    """With the pause container as process 1, SIGTERM ends even a Python that has no handler yet."""
    docker("restart", "--time", "0", containers[name])
    docker("kill", "--signal", "TERM", containers[name])
    assert wait_exit(containers[name]) in (0, 128 + SIGTERM)
