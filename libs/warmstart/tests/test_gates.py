"""What only one process can lose, as its model: it gates readiness, may heal, and else has the process replaced."""

import pytest

from stack import until
from tests.harness import Watch
from tests.harness.sample import Start, World


@pytest.mark.parametrize("policy", ["decoupled", "coupled"])
def test_a_broken_model_gates_and_heals(world: World, start: Start, policy: str) -> None:
    """Whatever the policy for what is shared; `/livez` and `/startupz` stay 200, and the process is the same."""
    service = start(READINESS_POLICY=policy).wait_ready()
    before = service.workers()
    with Watch(service.port, "/livez") as liveness, Watch(service.port, "/startupz") as startup:
        world.up("model-broken")
        service.wait_for("/readyz", 503)
        lines = service.get("/readyz?verbose").body.decode().splitlines()
        assert "[-]model failed: degraded: no pass succeeds" in lines
        assert lines[-1] == "readyz check failed"
        assert service.get("/readyz?exclude=model").status == 200
        world.down("model-broken")
        service.wait_ready()
    assert (liveness.answers, startup.answers) == ([200], [200])
    assert service.workers() == before


@pytest.mark.parametrize("closer", ["ends", "hangs"])
def test_what_does_not_heal_has_its_process_replaced(world: World, start: Start, closer: str) -> None:
    """After HEAL_TIMEOUT it says why, drains and exits with 1; the master lives on and starts another.

    What is broken may hang when it is closed.
    """
    service = start(HEAL_TIMEOUT=0.5, SHUTDOWN_TIMEOUT=0.5).wait_ready()
    before = service.workers()
    if closer == "hangs":
        world.up("model-hangs")
    world.up("model-broken")
    until(lambda: service.workers() not in ([], before), 20, "a new process", lambda: service.log[-1500:])
    world.down("model-broken")
    service.wait_ready()
    assert len(service.error_lines("model failed: did not heal within 0.5 s: no pass succeeds")) >= 1
    assert service.error_lines(f"Worker (pid:{before[0]}) exited with code 1")
    assert service.get("/work").status == 200


@pytest.mark.parametrize(("needed", "status"), [(1, 200), (2, 503)])
def test_one_of_two_processes_is_broken(world: World, start: Start, needed: int, status: int) -> None:
    """It doesn't count as ready: the pod is ready if the other is enough. It alone is replaced."""
    service = start(WEB_CONCURRENCY=2, MIN_READY_PROCESSES=needed, HEAL_TIMEOUT=2).wait_ready()
    broken, sound = service.workers()
    with Watch(service.port, "/readyz") as watch:
        world.up(f"model-broken-{broken}")
        service.wait_for_log("model is degraded: no pass succeeds")
        if status == 503:
            service.wait_for("/readyz", 503)
        until(lambda: broken not in service.workers(), 20, "the broken process is gone", lambda: service.log[-1500:])
        until(lambda: service.log.count("-> ready") == 3, 20, "a ready replacement", lambda: service.log[-1500:])
    service.wait_ready()
    assert sound in service.workers()
    assert (503 in watch.answers) == (status == 503)
