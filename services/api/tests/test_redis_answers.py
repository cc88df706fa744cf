"""What Redis says while it serves: no request fails, the probe tells, and all heals by itself."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from limits import parse
from prometheus_client import REGISTRY
from redis import Redis
from redis.exceptions import ReadOnlyError

from api.quota_counts import SharedCounts
from api.redis_connection import connect
from services.api.tests.conftest import MODEL, Start
from services.api.tests.helpers.switch import switch
from stack import EmbeddedStack, free_ports, until


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A Valkey that a test may break."""
    with EmbeddedStack(tmp_path_factory.mktemp("valkey"), free_ports(), ("valkey",)) as running:
        yield running


def embed(client: TestClient, text: str) -> tuple[int, bool]:
    """The status, and whether the cache knew the text."""
    answer = client.post("/v1/embeddings", json={"input": text, "model": MODEL})
    return answer.status_code, "inference;dur=0.000" in answer.headers.get("Server-Timing", "")


def shown(client: TestClient) -> str:
    """The answer of the verbose readiness probe."""
    return client.get("/readyz?verbose").text


def errors() -> float:
    """Writes to Redis that failed, of this process."""
    return REGISTRY.get_sample_value("api_cache_writes_total", {"result": "error"}) or 0.0


@contextmanager
def configured(redis: Redis, name: str, value: str) -> Iterator[None]:
    """With another setting."""
    before = redis.config_get(name)
    redis.config_set(name, value)
    try:
        yield
    finally:
        redis.config_set(name, str(before[name]))


@contextmanager
def replica(redis: Redis, *, serves: str = "yes") -> Iterator[None]:
    """A replica of nobody who answers."""
    redis.config_set("replica-serve-stale-data", serves)
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]


@contextmanager
def without_permission(redis: Redis) -> Iterator[None]:
    """The user may read only."""
    redis.execute_command("ACL", "SETUSER", "default", "-set")  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        redis.execute_command("ACL", "SETUSER", "default", "+@all")  # type: ignore[no-untyped-call]


STATES: dict[str, Callable[[Redis], object]] = {
    "READONLY": replica,
    "OOM": lambda redis: configured(redis, "maxmemory", "1"),
    "NOPERM": without_permission,
}


@pytest.mark.parametrize("state", STATES)
def test_look_ups_go_on_while_values_are_refused(
    valkey: EmbeddedStack, start: Start, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    """A replica, a full one, one without permission: hits are served, misses computed, one line is logged."""
    client, known = start(redis_url=valkey.url("valkey")), f"known {uuid4().hex}"
    until(lambda: embed(client, known)[1], 20, "a hit")
    with Redis.from_url(valkey.url("valkey")) as redis:
        redis.config_set("maxmemory-policy", "noeviction")
        caplog.clear()  # not later: what was embedded above may be written only now, and be the first that is refused
        with STATES[state](redis):  # type: ignore[attr-defined]
            until(lambda: "[-]redis failed: degraded: read-only" in shown(client), 20, "the sample's reason")
            before = errors()
            assert [embed(client, uuid4().hex) for _ in range(10)] == [(200, False)] * 10
            assert embed(client, known) == (200, True)
            until(lambda: errors() >= before + 10, 20, "counted errors")
    assert len([record for record in caplog.records if "not cached" in record.message]) == 1
    until(lambda: "[+]redis ok" in shown(client), 20, "the sample's recovery")
    until(lambda: embed(client, state)[1], 20, "a hit of what was written since")


def test_a_replica_without_its_data_fails_no_request(valkey: EmbeddedStack, start: Start) -> None:
    """MASTERDOWN for look-ups and writes: Redis is as good as away, and comes back by itself."""
    client = start(redis_url=valkey.url("valkey"))
    with Redis.from_url(valkey.url("valkey")) as redis, replica(redis, serves="no"):
        until(lambda: "[-]redis failed: degraded: Link with MASTER" in shown(client), 20, "the reason")
        assert embed(client, uuid4().hex) == (200, False)
    until(lambda: "[+]redis ok" in shown(client), 20, "the recovery")


def test_a_demoted_server_is_left_for_the_new_one(valkey: EmbeddedStack, start: Start, tmp_path: Path) -> None:
    """When the name moved, all connections follow, although the old server answers on; what is written arrives."""
    (tmp_path / ".env").write_text(f"REDIS_PASSWORD={valkey.site.secrets.redis}\n")
    old = valkey.site.ports["valkey"]
    with EmbeddedStack(tmp_path, free_ports(), ("valkey",)) as other, switch(old) as name:
        client = start(redis_url=valkey.url("valkey").replace(f":{old}/", f":{name.port}/"))
        until(lambda: embed(client, "first")[1], 20, "a hit")
        with Redis.from_url(valkey.url("valkey")) as redis, replica(redis):
            until(lambda: "[-]redis failed: degraded: read-only" in shown(client), 20, "the reason")
            name.target = other.site.ports["valkey"]
            until(lambda: "[+]redis ok" in shown(client), 20, "the recovery")
            before = errors()
            texts = [uuid4().hex for _ in range(20)]
            assert {embed(client, text)[0] for text in texts} == {200}
            until(lambda: all(embed(client, text)[1] for text in texts), 20, "hits of them all")
            assert errors() == before
        with Redis.from_url(other.url("valkey")) as redis:
            assert redis.dbsize() > 20


def test_the_quota_leaves_a_demoted_server_for_the_new_one(valkey: EmbeddedStack, tmp_path: Path) -> None:
    """Once the old one has refused to count, all connections lead to the new one, without a health sample."""
    (tmp_path / ".env").write_text(f"REDIS_PASSWORD={valkey.site.secrets.redis}\n")
    old = valkey.site.ports["valkey"]
    with EmbeddedStack(tmp_path, free_ports(), ("valkey",)) as other, switch(old) as name:

        async def main() -> None:
            client = connect(valkey.url("valkey").replace(f":{old}/", f":{name.port}/") + "?socket_timeout=15")
            counts = SharedCounts(parse("10/year"), client)  # no window ends during the test

            async def count() -> list[bool]:
                return [fits for fits, _ in await asyncio.gather(*(counts.hit("caller", 1) for _ in range(4)))]

            assert await count() == [True] * 4
            name.target = other.site.ports["valkey"]
            with Redis.from_url(valkey.url("valkey")) as redis, replica(redis):
                with pytest.raises(ReadOnlyError):
                    await counts.hit("caller", 1)
                assert await count() == [True] * 4
            await client.aclose()

        asyncio.run(main())
