"""Dependencies lost after the start, stopped and paused, under both readiness policies (docs/lifecycle.md, rule 9)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

import pytest

from stack import Part, Stack, until
from stack.http import Answer
from tests.harness import Gunicorn, Watch
from tests.harness.gunicorn import REPOSITORY

SLOW = 1.0  # seconds; the default time-out of a Kubernetes probe
NAMES: dict[Part, str] = {"postgres": "postgres", "valkey": "redis", "worker": "worker"}

Policy = Literal["decoupled", "coupled"]


@dataclass
class Pair:
    """The same api under both policies."""

    decoupled: Gunicorn
    coupled: Gunicorn

    def each(self) -> dict[Policy, Gunicorn]:
        """By policy."""
        return {"decoupled": self.decoupled, "coupled": self.coupled}


@pytest.fixture(scope="module")
def apis(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two more apis on the stack's dependencies, one of each policy."""
    folder = tmp_path_factory.mktemp("apis")
    env = {
        "DATABASE_URL": stack.url("postgres"),
        "REDIS_URL": stack.url("valkey"),
        "WORKER_URL": stack.url("worker"),
        "CACHE_TIMEOUT": "5",  # seconds: a known text that is found late is no new one
    }
    with ExitStack() as running:

        def begin(policy: Policy) -> Gunicorn:
            conf = REPOSITORY / "services" / "api" / "gunicorn.conf.py"
            return running.enter_context(Gunicorn(conf, folder, READINESS_POLICY=policy, **env))

        pair = Pair(begin("decoupled"), begin("coupled"))
        for service in pair.each().values():
            service.wait_ready()
        yield pair


def embed(api: Gunicorn, text: str) -> Answer:
    """One embedding."""
    return api.post("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": text})


def search(api: Gunicorn, text: str) -> Answer:
    """One search."""
    return api.post("/v1/search", {"query": text})


def is_known(answer: Answer) -> bool:
    """Whether the cache had the text, so that the worker computed nothing."""
    return "inference;dur=0.000" in answer.headers["server-timing"]


# What still works and what is refused, by the part that is gone.
WORKS: dict[Part, Callable[[Gunicorn], Answer]] = {
    "postgres": lambda api: embed(api, "needs no database"),
    "valkey": lambda api: search(api, "needs no cache"),
    "worker": lambda api: embed(api, "seen before"),
}
REFUSED: dict[Part, Callable[[Gunicorn], Answer] | None] = {
    "postgres": lambda api: search(api, "needs a database"),
    "valkey": None,
    "worker": lambda api: embed(api, uuid4().hex),
}


@pytest.mark.parametrize("how", ["stopped", "paused"])
@pytest.mark.parametrize("part", ["postgres", "valkey", "worker"])
def test_a_lost_dependency(stack: Stack, apis: Pair, part: Part, how: str) -> None:
    """Probes stay fast, readiness follows the policy, routes that need it answer 503, and it heals by itself."""
    before = {policy: api.workers() for policy, api in apis.each().items()}
    for api in apis.each().values():
        until(lambda api=api: is_known(embed(api, "seen before")), 60, "a known text")  # type: ignore[misc]
    with ExitStack() as watching:
        watches = {
            (policy, path): watching.enter_context(Watch(api.port, path))
            for policy, api in apis.each().items()
            for path in ("/livez", "/readyz")
        }
        with ExitStack() as mending:
            lose(stack, part, how, mending)
            for policy, api in apis.each().items():
                gone_as_declared(api, part, policy)
        for api in apis.each().values():
            api.wait_for(f"/readyz/{NAMES[part]}", 200)
            api.wait_for("/readyz", 200)
            until(lambda api=api: works_again(api, part), 60, "all routes work again")  # type: ignore[misc]
        for watch in watches.values():
            watch.go_on()
    assert max(watch.slowest for watch in watches.values()) < SLOW
    gated = part != "valkey"
    assert watches["decoupled", "/readyz"].answers == [200]
    assert watches["coupled", "/readyz"].answers == ([200, 503, 200] if gated else [200])
    assert {policy: api.workers() for policy, api in apis.each().items()} == before


def lose(stack: Stack, part: Part, how: str, mending: ExitStack) -> None:
    """Stop or pause a part, until `mending` closes."""
    if how == "paused":
        mending.callback(stack.resume, part)
        stack.pause(part)
    else:
        mending.callback(stack.start, part)
        stack.stop(part)


def gone_as_declared(api: Gunicorn, part: Part, policy: Policy) -> None:
    """The probes and routes of one api while the part is gone."""
    name = NAMES[part]
    api.wait_for(f"/readyz/{name}", 503)
    gates = policy == "coupled" and part != "valkey"
    api.wait_for("/readyz", 503 if gates else 200)
    line = next(line for line in api.get("/readyz?verbose").body.decode().splitlines() if name in line)
    assert line.startswith(f"[-]{name} failed: ")
    assert line.endswith("(not gating)") == (not gates)
    assert WORKS[part](api).status == 200
    if refused := REFUSED[part]:
        answer = refused(api)
        assert (answer.status, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
        assert "retry-after" in answer.headers


def works_again(api: Gunicorn, part: Part) -> bool:
    """Whether what was refused is served. Raises AssertionError with what was answered instead."""
    answer = (REFUSED[part] or WORKS[part])(api)
    assert answer.status == 200, answer.body
    return True
