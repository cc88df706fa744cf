"""Who the worker answers; that the api sends it the secret is tested there (test_worker_secret.py)."""

from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from worker.app import create_app
from worker.settings import WorkerSettings


def test_a_prefix_opens_nothing() -> None:
    """Below `/x`, as `--root-path` or a mount has it, who lacks the secret gets nothing but probes."""
    app = create_app(WorkerSettings(worker_secret=SecretStr("one"), engine="fake"))
    for client in (TestClient(app, root_path="/x"), TestClient(Starlette(routes=[Mount("/x", app)]))):
        assert client.post("/x/embeddings/", json={"texts": ["a"]}).status_code == 401
        assert client.get("/x/livez").status_code == 200
