"""A worker that can't start: loud, bounded, and visible at the api."""

from pathlib import Path

from stack import ComposeStack, free_ports, until
from tests.containers.helpers import discarded
from tests.harness import get

RETRIES = 5  # restart: on-failure:5


def test_a_worker_without_its_model(folder: Path) -> None:
    """It exits 3 after as many tries as the restart policy allows; the api is not ready and says why."""
    settings = {"EMBEDDING_MODEL": "/nonexistent"}
    with discarded(ComposeStack(folder, free_ports(), environment=settings)) as stack:
        stack.project.run("up", "--detach", "--no-build")
        port = int(stack.url("api").rsplit(":", 1)[1])

        def given_up() -> bool:
            (worker,) = stack.project.containers("worker")
            return worker.status == "exited" and worker.restarts == RETRIES

        until(given_up, 180, "the worker to be given up", lambda: stack.project.containers("worker"))
        assert "Exited (3)" in stack.project.run("ps", "--all", "--format", "{{.Service}} {{.Status}}", "worker")
        assert stack.logs("worker").count("start failed; model failed: EMBEDDING_MODEL=/nonexistent") == 1 + RETRIES

        def said() -> bool:
            answer = get(port, "/readyz?verbose")
            return answer.status == 503 and b"[-]worker failed: " in answer.body

        until(said, 10, "the reason at the api", lambda: get(port, "/readyz?verbose"))
        (api,) = stack.project.containers("api")
        assert (api.status, api.restarts) == ("running", 0)
