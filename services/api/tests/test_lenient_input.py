"""What clients send beside the texts does no harm: nulls, fields of other servers, ids of another vocabulary."""

from typing import Any

import httpx2
import pytest

from services.api.tests.conftest import MODEL, Start

NULLS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/embeddings", {"input": "a", "model": MODEL, "encoding_format": None, "dimensions": None, "user": None}),
    ("/v1/documents", {"documents": [{"text": "null fields", "id": None, "metadata": None}]}),
    ("/v1/search", {"query": "null fields", "limit": None, "filter": None}),
]
FOREIGN: list[dict[str, Any]] = [
    {"input_type": "search_query"},
    {"input_type": None},
    {"drop_params": True, "truncate_prompt_tokens": 256},
    {"extra_body": {"nested": [1, None]}},
    {"": 1, "normalize": False, "truncate": "END"},
]
HELLO_WORLD = [15339, 1917]  # in OpenAI's vocabulary, as LangChain sends it


@pytest.mark.parametrize(("path", "body"), NULLS)
def test_null_is_as_if_absent(http: httpx2.Client, path: str, body: dict[str, Any]) -> None:
    """Every optional field of every route may be null, and then has its default."""
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text


def test_null_gives_the_default(http: httpx2.Client) -> None:
    """A null limit is ten results, null metadata an empty object, and a filter may still ask for null."""
    documents = [{"text": f"null {number}", "metadata": {"void": None}} for number in range(12)]
    [plain, *_] = http.post("/v1/documents", json={"documents": [{"text": "t", "metadata": None}]}).json()["ids"]
    assert http.get(f"/v1/documents/{plain}").json()["metadata"] == {}
    assert http.post("/v1/documents", json={"documents": documents}).status_code == 200
    for more in ({"limit": None}, {"limit": None, "filter": {"void": None}}):
        assert len(http.post("/v1/search", json={"query": "null", **more}).json()["results"]) == 10


@pytest.mark.parametrize("foreign", FOREIGN)
def test_unknown_fields_of_an_embeddings_call_are_ignored(http: httpx2.Client, foreign: dict[str, Any]) -> None:
    """Fields that other servers know change nothing."""
    plain = {"input": "hello", "model": MODEL}
    given = http.post("/v1/embeddings", json={**plain, **foreign})
    assert given.status_code == 200, given.text
    assert given.json() == http.post("/v1/embeddings", json=plain).json()


@pytest.mark.parametrize("ids", [HELLO_WORLD, [HELLO_WORLD], [[1]] * 1000, [[2_000_000]]])
def test_token_ids_are_refused_unless_asked_for(start: Start, ids: list[Any]) -> None:
    """By default ids are a 400 that says what to send instead, and how LangChain is told to."""
    answer = start().post("/v1/embeddings", json={"input": ids, "model": MODEL})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "input")
    assert "check_embedding_ctx_length=False" in error["message"]
    assert "TOKEN_IDS=1" in error["message"]


@pytest.mark.parametrize("texts", [600, 1000])
def test_too_many_token_ids_get_the_same_advice(http: httpx2.Client, texts: int) -> None:
    """A thousand texts of LangChain are over the limits for ids and for values; it learns what to set there too."""
    answer = http.post("/v1/embeddings", json={"input": [[1] * 250] * texts, "model": MODEL})
    assert answer.status_code == 400
    assert "check_embedding_ctx_length=False" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/search", "/v1/classify"])
def test_advice_about_token_ids_is_for_who_may_send_them(http: httpx2.Client, path: str) -> None:
    """The error for too many JSON values says nothing of token ids on a route that takes none."""
    error = http.post(path, json={"texts": [0] * 250_000}).json()["error"]
    assert (error["code"], error["message"]) == ("too_many_values", "the body holds more than 200000 JSON values")


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [(b"", "application/json; charset=utf-8"), (b"\xef\xbb\xbf", "application/json"), (b" \r\n", "APPLICATION/JSON")],
)
def test_json_by_other_names(http: httpx2.Client, prefix: bytes, kind: str) -> None:
    """A charset, a byte order mark, white space and capitals are JSON all the same."""
    body = prefix + b'{"input": "na\xc3\xafve", "model": "%s"}' % MODEL.encode()
    answer = http.post("/v1/embeddings", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer none", "Basic bm9uZQ=="])
def test_any_authorization_is_fine_without_keys(http: httpx2.Client, authorization: str) -> None:
    """Clients that insist on a key may send whatever they like."""
    answer = http.post("/v1/embeddings", json={"input": "a", "model": MODEL}, headers={"Authorization": authorization})
    assert answer.status_code == 200, answer.text


def test_a_trailing_slash_leads_to_the_route(http: httpx2.Client) -> None:
    """A client that follows redirects, as OpenAI's does, gets its answer."""
    for path, body in (("/v1/embeddings/", {"input": "a", "model": MODEL}), ("/v1/search/", {"query": "a"})):
        assert http.post(path, json=body, follow_redirects=True).status_code == 200
