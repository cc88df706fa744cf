"""Keys are added and revoked while the api serves, by the file alone."""

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api.keys.__main__ import main
from services.api.tests.conftest import MODEL, Start
from stack import EmbeddedStack, until
from tests.harness import Gunicorn

CONF = Path(__file__).parents[1] / "gunicorn.conf.py"


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`new(name)` makes a key in the file of API_KEYS_FILE, and returns it."""
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "keys"))

    def make(*arguments: str) -> str:
        assert main(["new", *arguments]) == 0
        return capsys.readouterr().out.strip()

    return make


def ask(client: TestClient, key: str, texts: int = 1) -> int:
    """The status of embedding so many texts."""
    body = {"input": ["rotation"] * texts, "model": MODEL}
    return client.post("/v1/embeddings", json=body, headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_is_added_and_all_are_revoked(
    start: Start, new: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An added key is let in, a revoked one isn't, a file that can't be read changes nothing, nor does it open the api.

    The log names keys, and has none of them.
    """
    file, first = tmp_path / "keys", new("first")
    client = start(api_keys=file.read_text())
    with caplog.at_level(logging.INFO):
        second = new("second")
        until(lambda: ask(client, second) == 200, 20, "the added key")
        assert ask(client, first) == 200
        good = file.read_text()
        file.write_text(good.replace("sha256:", "sha265:"))
        until(lambda: "must be NAME sha256:HASH" in caplog.text, 20, "the complaint")
        assert ask(client, first) == 200
        file.write_text(good)
        assert main(["revoke", "first"]) == 0
        until(lambda: ask(client, first) == 401, 20, "the revoked key")
        assert ask(client, second) == 200
        assert main(["revoke", "second"]) == 0
        until(lambda: ask(client, second) == 401, 20, "the last key's end")
        assert client.get("/v1/models").status_code == 401
    assert "API keys: added second; 2 left" in caplog.text
    assert "API keys: revoked first; 1 left" in caplog.text
    lines = [each for each in caplog.records if each.name == "warmstart.access"]
    assert {getattr(each, "caller", None) for each in lines} == {"first", "second", None}
    assert first not in caplog.text
    assert second not in caplog.text


def test_each_key_has_its_own_quota(start: Start, new: Callable[..., str], tmp_path: Path) -> None:
    """A key's own quota counts in place of QUOTA, and each name is counted apart; both of its keys count together."""
    suffix = uuid4().hex[:8]  # counts of earlier runs are in the same Redis
    small, usual, also = new(f"small-{suffix}", "--quota", "2/hour"), new(f"usual-{suffix}"), new(f"also-{suffix}")
    client = start(api_keys=(tmp_path / "keys").read_text(), quota="4/hour")
    assert [ask(client, small, 2), ask(client, small)] == [200, 429]
    assert [ask(client, usual, 4), ask(client, usual), ask(client, also, 4)] == [200, 429, 200]
    assert ask(client, small, 3) == 400
    without_default = start(api_keys=(tmp_path / "keys").read_text())
    assert [ask(without_default, small), ask(without_default, usual, 5)] == [429, 200]


def test_a_request_under_way_outlives_its_key(stack: EmbeddedStack, new: Callable[..., str], tmp_path: Path) -> None:
    """In three processes under gunicorn: its body comes after the revocation, and it is answered; the next is 401."""
    addresses = {"DATABASE_URL": stack.url("postgres"), "REDIS_URL": stack.url("valkey")}
    settings = {**addresses, "WORKER_URL": stack.url("worker"), "ENVIRONMENT": "production", "DRAIN_SECONDS": 0}
    key, body = new("going"), json.dumps({"input": "rotation", "model": MODEL}).encode()
    new("staying")
    with Gunicorn(CONF, tmp_path, WEB_CONCURRENCY=3, REQUEST_TIMEOUT=60, **settings) as api:
        api.wait_ready()
        with socket.create_connection(("127.0.0.1", api.port), timeout=60) as connection:
            head = f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nAuthorization: bearer {key}\r\n"
            connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            connection.sendall(body[:5])
            api.wait_for("/readyz", 200)
            assert main(["revoke", "going"]) == 0
            until(lambda: api.log.count("API keys: revoked going") == 3, 30, "the revocation in each process")
            connection.sendall(body[5:])
            assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
            connection.sendall(f"GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
            until(lambda: b"HTTP/1.1 401 " in connection.recv(65536), 30, "the refusal")
        assert key not in api.log
