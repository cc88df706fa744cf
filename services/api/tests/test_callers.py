"""Who may call, and how much."""

import http.client
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from api.app import create_app
from api.auth import network_of
from api.keys.entries import parse
from api.settings import ApiSettings
from services.api.tests.conftest import MODEL, Start
from stack import EmbeddedStack
from stack.interface import Part
from tests.harness import Gunicorn
from tests.harness.gunicorn import REPOSITORY

KEYS = "first-key, second-key"
CONF = REPOSITORY / "services" / "api" / "gunicorn.conf.py"
ADDRESSES: dict[str, Part] = {"DATABASE_URL": "postgres", "REDIS_URL": "valkey", "WORKER_URL": "worker"}


def bearer(key: str) -> dict[str, str]:
    """The header."""
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(""),
        bearer("first-key, second-key"),
        bearer("first-key\t"),
        {"Authorization": "Basic eDp5"},
        {"Authorization": "first-key"},
        {"Authorization": b"Bearer \xff\xfe\x00first-key"},
        [("Authorization", "Bearer first-key"), ("Authorization", "Bearer second-key")],
        [("Authorization", "Bearer first-key"), ("Authorization", "Basic eDp5")],
    ],
)
def test_without_a_key_there_is_nothing(start: Start, headers: Any) -> None:
    """Every route of /v1 answers 401 in the envelope, before the body is read."""
    client = start(api_keys=KEYS)
    answers = [
        client.post("/v1/embeddings", json={"nonsense": 1}, headers=headers),
        client.get("/v1/models", headers=headers),
        client.get("/v1/documents/a", headers=headers),
        client.post("/v1/search", json={"query": "q"}, headers=headers),
        client.post("/v1/classify", json={"texts": ["t"]}, headers=headers),
    ]
    assert [each.status_code for each in answers] == [401] * 5
    assert answers[0].json()["error"]["code"] == "invalid_api_key"
    challenge = 'Bearer error="invalid_token"' if headers else "Bearer"  # RFC 6750, section 3.1
    assert {each.headers["www-authenticate"] for each in answers} == {challenge}
    garbled = client.post("/v1/embeddings", content=b"{", headers=headers)
    assert garbled.status_code == 401


def test_a_page_is_told_of_a_refusal(start: Start) -> None:
    """A browser's preflight needs no key, and the page may read why its call was refused; by default no page may."""
    page = {"Origin": "https://page.example"}
    asked = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    client = start(api_keys=KEYS, cors_origins="https://page.example http://localhost:3000")
    assert client.options("/v1/embeddings", headers=asked).status_code == 200
    refused = client.post("/v1/embeddings", json={}, headers=page)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, page["Origin"])
    anybody = start(cors_origins="*").get("/v1/models", headers=page)
    assert anybody.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in start().get("/v1/models", headers=page).headers


@pytest.mark.parametrize(
    "given", ["Bearer first-key", "Bearer second-key", "bearer first-key", "BEARER second-key", "Bearer   first-key "]
)
def test_each_key_opens(start: Start, given: str) -> None:
    """Every one of the comma-separated keys is accepted, however the scheme is spelled (RFC 9110, section 11.1)."""
    client = start(api_keys=KEYS)
    assert client.get("/v1/models", headers={"Authorization": given}).status_code == 200


def test_keys_from_a_file_close_an_api_in_production(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Under gunicorn, as the manifests start it: no key and a wrong one are 401, the file's key is 200."""
    (tmp_path / "keys").write_text("first-key-of-production\nsecond-key-of-production\n")
    addresses = {name: stack.url(part) for name, part in ADDRESSES.items()}
    files = {"ENVIRONMENT": "production", "API_KEYS_FILE": tmp_path / "keys"}
    with Gunicorn(CONF, tmp_path, DRAIN_SECONDS=0, **addresses, **files) as api:
        api.wait_ready()
        answers = [status(api.port, headers) for headers in ({}, bearer("wrong"), bearer("second-key-of-production"))]
    assert answers == [401, 401, 200]


def test_there_is_no_open_api_in_production(tmp_path: Path) -> None:
    """Without API_KEYS gunicorn ends with 3, and a line that says how keys are made."""
    with Gunicorn(CONF, tmp_path, ENVIRONMENT="production") as api:
        assert api.wait_exit() == 3
        assert (
            api.log.strip() == "bad setting API_KEYS: ENVIRONMENT=production needs keys; python -m api.keys makes them"
        )


def status(port: int, headers: dict[str, str]) -> int:
    """Of a GET of the models."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/v1/models", headers=headers)
    found = connection.getresponse().status
    connection.close()
    return found


def test_probes_and_page_need_no_key(start: Start) -> None:
    """Authentication never stands between a kubelet and a probe."""
    client = start(api_keys=KEYS)
    paths = ["/livez", "/startupz", "/readyz", "/metrics", "/"]
    assert [client.get(path).status_code for path in paths] == [200] * 5


@pytest.mark.parametrize("keys", [None, KEYS])
def test_the_document_asks_for_a_key_where_one_is_needed(keys: str | None) -> None:
    """With keys every operation below /v1 does, and no other; without keys none does."""
    document = create_app(ApiSettings(api_keys=SecretStr(keys) if keys else None)).openapi()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == (keys is not None and path.startswith("/v1/")), path
    assert ("securitySchemes" in document["components"]) == (keys is not None)


def test_the_quota_counts_texts_of_each_caller(start: Start) -> None:
    """Ten texts an hour: 4 + 6 pass, one more is 429 with Retry-After, and the other key is unaffected."""
    first, second = uuid4().hex, uuid4().hex
    client = start(api_keys=f"{first},{second}", quota="10/hour")

    def ask(key: str, texts: int) -> int:
        body = {"input": ["text"] * texts, "model": MODEL}
        return client.post("/v1/embeddings", json=body, headers=bearer(key)).status_code

    assert [ask(first, 4), ask(first, 6), ask(first, 1)] == [200, 200, 429]
    assert ask(second, 1) == 200
    refused = client.post("/v1/search", json={"query": "q"}, headers=bearer(first))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert 1 <= int(refused.headers["Retry-After"]) <= 7200


def test_a_refused_call_costs_no_quota(start: Start) -> None:
    """A call with a bad text is not counted."""
    key = uuid4().hex
    client = start(api_keys=key, quota="2/minute", max_text_characters=5)
    bad = client.post("/v1/embeddings", json={"input": ["ok", "too long"], "model": MODEL}, headers=bearer(key))
    good = client.post("/v1/embeddings", json={"input": ["ok", "ok"], "model": MODEL}, headers=bearer(key))
    assert (bad.status_code, good.status_code) == (400, 200)


def test_an_owners_name_outlives_a_rotation() -> None:
    """A key is counted under a name that reveals nothing of it, and that doesn't change when other keys do."""
    before, after = parse("old-key kept-key"), parse("kept-key,new-key")
    assert after[0] == before[1]
    names = {each.name for each in (*before, *after)}
    assert len(names) == 3
    assert not any("old" in name or "kept" in name or "new" in name for name in names)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("unknown", "unknown"),
        ("_hidden", "unknown"),
        ("203.0.113.7\r\nx", "unknown"),
        ("x" * 8000, "unknown"),
    ],
)
def test_callers_of_one_subscriber_are_one(address: str, network: str) -> None:
    """IPv4 by address, in either notation; IPv6 by /64; whatever is no address under one name."""
    assert network_of(address) == network
