"""A quota that all processes count together, and each by itself while Redis is away."""

import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from fastapi.testclient import TestClient
from redis import Redis

from services.api.tests.conftest import MODEL, Start
from stack import EmbeddedStack, until
from tests.harness import Gunicorn

CONF = Path(__file__).parents[1] / "gunicorn.conf.py"
POLICY = '"texts";q=10;w=3600;qu="texts"'


@pytest.fixture
def key(stack: EmbeddedStack) -> str:
    """A key that nobody has used, and no counts of tests before."""
    with Redis.from_url(stack.url("valkey")) as redis:
        for each in redis.scan_iter("warmstart:quota:*"):
            redis.delete(each)
    return uuid4().hex


def addresses(stack: EmbeddedStack) -> dict[str, object]:
    """The settings that lead an api to the stack's other parts, and never past a Redis that answers late."""
    urls = {"DATABASE_URL": stack.url("postgres"), "REDIS_URL": stack.url("valkey")}
    return {**urls, "WORKER_URL": stack.url("worker"), "CACHE_TIMEOUT": 5}


def ask(client: TestClient, key: str, texts: int = 1) -> httpx2.Response:
    """Embed so many known texts."""
    body = {"input": ["quota"] * texts, "model": MODEL}
    return client.post("/v1/embeddings", json=body, headers={"Authorization": f"Bearer {key}"})


def test_two_replicas_share_a_quota(start: Start, key: str) -> None:
    """What one api has admitted counts in the other, and after a restart."""
    settings = {"api_keys": key, "quota": "10/hour"}
    one, two = start(**settings), start(**settings)
    assert [ask(one, key, 6).status_code, ask(two, key, 5).status_code, ask(two, key, 4).status_code] == [200, 429, 200]
    assert ask(start(**settings), key).status_code == 429


def test_the_processes_of_a_pod_share_a_quota(stack: EmbeddedStack, key: str, tmp_path: Path) -> None:
    """Of 60 calls on fresh connections to three processes exactly as many pass as the quota has, at once or not."""
    settings = {**addresses(stack), "WEB_CONCURRENCY": 3, "QUOTA": "25/hour", "DRAIN_SECONDS": 0}
    with Gunicorn(CONF, tmp_path, **settings) as api:
        api.wait_ready()
        with ThreadPoolExecutor(8) as clients:
            calls = [clients.submit(api.post, "/v1/embeddings", {"input": "q", "model": MODEL}) for _ in range(60)]
        statuses = Counter(call.result().status for call in calls)
    assert statuses == {200: 25, 429: 35}


def test_answers_say_what_is_left(start: Start, key: str) -> None:
    """RateLimit counts down in texts; the 429's `t` is its Retry-After, and a refused call spends nothing."""
    client = start(api_keys=key, quota="10/hour")
    answers = [ask(client, key, 4), ask(client, key, 5), ask(client, key, 2), ask(client, key, 1)]
    assert [each.status_code for each in answers] == [200, 200, 429, 200]
    assert {each.headers["RateLimit-Policy"] for each in answers} == {POLICY}
    standings = [re.fullmatch(r'"texts";r=(\d+);t=(\d+)', each.headers["RateLimit"]) for each in answers]
    assert [standing and standing[1] for standing in standings] == ["6", "1", "1", "0"]
    assert all(standing and 0 < int(standing[2]) <= 7200 for standing in standings)
    assert standings[2]
    assert standings[2][2] == answers[2].headers["Retry-After"]
    assert "10 per 1 hour" in answers[2].json()["error"]["message"]


def test_a_call_that_fails_afterwards_was_counted(stack: EmbeddedStack, start: Start, key: str) -> None:
    """What was admitted is spent, and the answer says so, also when the worker does not answer."""
    client = start(api_keys=key, quota="10/hour", request_timeout=0.5)
    body = {"input": [uuid4().hex] * 3, "model": MODEL}
    stack.pause("worker")
    try:
        answer = client.post("/v1/embeddings", json=body, headers={"Authorization": f"Bearer {key}"})
    finally:
        stack.resume("worker")
    assert answer.status_code == 504
    assert '"texts";r=7;' in answer.headers["RateLimit"]


def test_without_a_quota_there_are_no_such_headers(start: Start, key: str) -> None:
    """Nothing is counted and nothing said."""
    assert not {"RateLimit", "RateLimit-Policy"} & set(ask(start(api_keys=key), key).headers)


def test_a_call_over_the_whole_quota_names_it(start: Start, key: str) -> None:
    """It is a 400 that says how many fit, and spends nothing."""
    client = start(api_keys=key, quota="10/hour")
    error = ask(client, key, 11).json()["error"]
    assert (error["code"], "at most 10 in one call" in error["message"]) == ("over_quota", True)
    assert '"texts";r=9;' in ask(client, key).headers["RateLimit"]


@pytest.mark.parametrize("how", ["paused", "stopped"])
def test_without_redis_each_process_counts(
    stack: EmbeddedStack, start: Start, key: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No call fails for it, the limit still holds, and each change is said once; then all count together again."""
    patience = 1 if how == "paused" else 15  # seconds, which all calls to a Redis that hangs take
    texts = 5 if how == "paused" else 2  # 5 don't fit beside the 6: however often it is asked, they count for nothing
    client = start(api_keys=key, quota="10/year", cache_timeout=patience)  # no window ends during the test
    assert ask(client, key, 6).status_code == 200
    stack.pause("valkey") if how == "paused" else stack.stop("valkey")
    try:
        statuses = [ask(client, key, 5).status_code for _ in range(3)]
    finally:
        stack.resume("valkey") if how == "paused" else stack.start("valkey")
    assert statuses == [200, 200, 429]

    def said() -> list[str]:
        messages = [record.message for record in caplog.records if record.name == "api.quota"]
        return [message.split(":")[0].split(" (")[0] for message in messages]

    def back() -> str:
        standing = ask(client, key, texts).headers["RateLimit"]
        return standing if said() == ["redis is unavailable", "redis is available again"] else ""

    standing = until(back, 20, "calls counted in Redis again")
    # One that was stopped has lost its counts; what waited in the socket of one that was paused did not fit any more.
    assert standing.split(";")[1] == ("r=8" if how == "stopped" else "r=4")
    counted = client.get("/metrics").text
    assert 'api_quota_calls_total{counted="process",result="refused"}' in counted
    assert 'api_quota_calls_total{counted="redis",result="passed"}' in counted


def test_counting_starts_no_thread(stack: EmbeddedStack, start: Start, key: str) -> None:
    """After 50 calls, counted in Redis or here, there are as many threads as after the first."""
    client = start(api_keys=key, quota="1000/hour")
    ask(client, key)
    before = threading.active_count()
    for _ in range(50):
        ask(client, key)
    stack.stop("valkey")
    try:
        for _ in range(50):
            ask(client, key)
        assert threading.active_count() <= before
    finally:
        stack.start("valkey")


def test_callers_without_keys_are_told_apart_by_address(stack: EmbeddedStack, key: str, tmp_path: Path) -> None:
    """Behind a trusted proxy each client has its quota, IPv6 by /64; an address that a client adds changes nothing."""
    settings = {**addresses(stack), "QUOTA": "2/hour", "DRAIN_SECONDS": 0, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
    clients = ["203.0.113.7", "198.51.100.1, 203.0.113.7", "198.51.100.2,203.0.113.7", "203.0.113.8"]
    subscriber = [f"2001:db8:1:2:{last}::1" for last in range(3)]
    with Gunicorn(CONF, tmp_path, **settings) as api:
        api.wait_ready()
        with httpx2.Client(base_url=f"http://127.0.0.1:{api.port}", trust_env=False) as proxy:

            def ask(forwarded: str) -> int:
                body = {"input": "q", "model": MODEL}
                return proxy.post("/v1/embeddings", json=body, headers={"X-Forwarded-For": forwarded}).status_code

            assert [ask(each) for each in clients] == [200, 200, 429, 200]
            assert [ask(each) for each in subscriber] == [200, 200, 429]
