"""The worker answers who has the secret that it shares with the api, and the secret is rotated while both serve."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.system.workers import Workers
from api.worker_client import WorkerClient
from api.worker_secret import WorkerSecret
from contract import call, model
from services.api.tests.conftest import MODEL, Settings
from stack import EmbeddedStack, free_ports, until
from stack.http import ask
from warmstart.errors import DependencyUnavailable

WANTED = {"Authorization": "Bearer one"}


class Closed(NamedTuple):
    """A worker in production, and the file of its secret."""

    url: str
    file: Path

    def accepts(self, secret: str) -> bool:
        """Whether it lets a caller with this secret in."""
        return ask(f"{self.url}{model.PATH}", timeout=10, more={"Authorization": f"bEARER {secret}"}).status == 200


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    """A real one, with the fake engine."""
    root = tmp_path_factory.mktemp("closed")
    (root / "secret").write_text("a-start-in-production-wants-a-long-one")
    environment = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "ENVIRONMENT": "production"}
    environment["WORKER_SECRET_FILE"] = str(root / "secret")
    with EmbeddedStack(root / "stack", free_ports(), ["worker"], environment) as running:
        yield Closed(running.url("worker"), root / "secret")


@pytest.fixture(autouse=True)
def _secret(closed: Closed) -> None:
    """It is `one` when a test begins."""
    closed.file.write_text("one")
    until(lambda: closed.accepts("one") and not closed.accepts("two"), 20, "the first secret")


def test_strangers_get_nothing_of_the_worker(closed: Closed) -> None:
    """Every route is 401 without the secret, and probes answer as ever, without details."""
    embed, payload = closed.url + call.PATH, {"texts": ["a"]}
    for more in ({}, {"Authorization": "Bearer on"}, {"Authorization": "Basic one"}, {"Authorization": "Bearer "}):
        answers = [ask(closed.url + path, timeout=10, more=more) for path in (model.PATH, "/docs", "/nowhere")]
        answers.append(ask(embed, "POST", payload, 10, more))
        assert {each.status for each in answers} == {401}
        assert answers[-1].json()["error"]["code"] == "invalid_worker_secret"
        assert [ask(closed.url + path, more=more).status for path in ("/livez", "/readyz", "/startupz")] == [200] * 3
        assert ask(f"{closed.url}/metrics", more=more).status == 401
    assert ask(embed, "POST", payload, 10, WANTED).status == 200
    assert ask(f"{closed.url}/metrics", timeout=10, more=WANTED).status == 200


@pytest.mark.anyio
async def test_the_api_says_that_it_is_not_let_in(closed: Closed, settings: Settings) -> None:
    """With another secret or none the worker is unavailable, and the reason names the setting."""
    for given in (settings(), settings(worker_secret="two,three")):
        async with WorkerClient(closed.url, secret=WorkerSecret(given)) as client:
            with pytest.raises(DependencyUnavailable, match="it doesn't accept WORKER_SECRET"):
                await client.refresh()
            with pytest.raises(DependencyUnavailable, match="it doesn't accept WORKER_SECRET"):
                await client.embed(["a"], budget=10)


@pytest.mark.anyio
async def test_the_page_sees_a_closed_worker(closed: Closed, settings: Settings) -> None:
    """Its resources and its queue, which strangers don't see."""
    looks = Workers("worker", closed.url, WorkerSecret(settings(worker_secret="one")))
    [part], _ = await looks.look()
    await looks.close()
    assert part.startup
    assert part.startup.resources
    assert part.queue


def test_the_secret_is_rotated_while_both_serve(
    closed: Closed, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker accepts both, the api sends the new one, the worker forgets the old one: every call is answered.

    In whatever order the two read it: the api tries the other value, or reads its file again.
    """
    file = tmp_path / "secret"
    file.write_text("one")
    monkeypatch.setenv("WORKER_SECRET_FILE", str(file))
    with TestClient(create_app(settings(worker_url=closed.url, worker_secret="one"))) as client:

        def served(text: str) -> bool:
            answer = client.post("/v1/embeddings", json={"input": f"{tmp_path} {text}", "model": MODEL})
            return answer.status_code == 200

        assert served("before")
        closed.file.write_text("one two")
        until(lambda: closed.accepts("two"), 20, "the second secret")
        assert served("both")
        file.write_text("two")
        closed.file.write_text("two")
        until(lambda: not closed.accepts("one"), 20, "the first secret's end")
        assert served("the second one")
        file.write_text("three four")
        closed.file.write_text("four")
        until(lambda: closed.accepts("four"), 20, "the last secret")
        assert served("the second value of the file")
