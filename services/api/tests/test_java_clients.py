"""What Java's HttpClient, Spring's RestClient, langchain4j and Ktor send: an offer of HTTP/2 with each body."""

import http.client
from typing import Any

import pytest

from services.api.tests.conftest import MODEL
from stack import EmbeddedStack
from stack.http import exchange
from stack.interface import Part

OFFER = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAA",
}


@pytest.mark.parametrize(
    ("part", "path", "payload"),
    [("api", "/v1/embeddings", {"input": "text", "model": MODEL}), ("worker", "/embeddings/", {"texts": ["text"]})],
)
def test_an_offer_of_http2_is_ignored(stack: EmbeddedStack, part: Part, path: str, payload: Any) -> None:
    """Each service answers such a request as any other, and the next one on the same connection."""
    connection = http.client.HTTPConnection("127.0.0.1", int(stack.url(part).rsplit(":", 1)[1]), timeout=10)
    answers = [exchange(connection, path, "POST", payload, OFFER) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200], answers[0].body
