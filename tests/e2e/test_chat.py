"""Chats of a whole system, with the stand-in for a chat model that `CHAT=demo make up` starts too."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from stack import EmbeddedStack, free_ports, until
from stack.chat import MODEL
from stack.http import ask
from stack.interface import CHAT, PARTS
from tests.e2e.collector import Collector, collecting

ETNA = "Mount Etna erupts often. It is in Sicily."
DOCUMENTS = [
    {"id": "etna", "text": ETNA, "metadata": {"country": "IT"}},
    {"id": "po", "text": "The Po flows into the Adriatic.", "metadata": {"country": "IT"}},
]
SPAN = "00f067aa0ba902b7"  # of the client


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the api sends its spans."""
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def stack(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A system with the stand-in, and two documents."""
    settings = {
        "ENGINE": "fake",
        "DRAIN_SECONDS": "0",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
    }
    with EmbeddedStack(
        tmp_path_factory.mktemp("chats"), free_ports(), parts=(*PARTS, CHAT), environment=settings
    ) as running:
        url = f"{running.url('api')}/v1/documents"
        assert ask(url, "POST", {"documents": DOCUMENTS}, timeout=15).status == 200
        yield running


@pytest.fixture
def client(stack: EmbeddedStack) -> OpenAI:
    """The official client."""
    return OpenAI(base_url=f"{stack.url('api')}/v1", api_key="none", max_retries=0)


def asked(question: str, trace: int = 1) -> Any:
    """The arguments of a call, as part of a trace."""
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": question}],
        "extra_body": {"documents": {"limit": 1, "filter": {"country": "IT"}}},
        "extra_headers": {"traceparent": f"00-{trace:032x}-{SPAN}-01"},
    }


def test_an_answer_cites_the_document_that_was_asked_for(client: OpenAI) -> None:
    """Whole and streamed: the words of the nearest document, its number, and the list of sources that has its id."""
    whole = client.chat.completions.create(**asked(ETNA))  # the fake engine finds a text by itself
    said = whole.choices[0].message.content or ""
    assert '"Mount Etna erupts often." [1]' in said
    [source] = (whole.model_extra or {})["sources"]
    assert (source["number"], source["id"], source["score"]) == (1, "etna", 1.0)

    chunks = list(client.chat.completions.create(**asked(ETNA), stream=True, stream_options={"include_usage": True}))
    assert (chunks[0].model_extra or {})["sources"] == [source]
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == said
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == len(said.split())


def test_a_chat_is_one_trace(stack: EmbeddedStack, collector: Collector, client: OpenAI) -> None:
    """It has a search's spans and one of the call to the chat server, which ends with the stream; none holds a text."""
    list(client.chat.completions.create(**asked("canary of the trace", 7), stream=True))
    wanted = {"POST /v1/chat/completions", "POST /chat/completions", "POST /embeddings/", "postgresql"}

    def found() -> dict[str, Any]:
        return {span.name: span for service, span in collector.spans(f"{7:032x}") if service == "warmstart-api"}

    until(lambda: wanted <= set(found()), 30, "the spans", lambda: str(set(found())))
    spans = found()
    above, call = spans["POST /v1/chat/completions"], spans["POST /chat/completions"]
    assert call.parent_span_id == above.span_id
    assert {each.key for each in call.attributes} >= {"http.request.method", "server.address"}
    assert not any(b"canary" in body for body in collector.received)


def test_a_server_that_is_lost_takes_chats_along_and_nothing_else(stack: EmbeddedStack, client: OpenAI) -> None:
    """While it is away chats are a 503 and the api is ready; when it is back, so are chats, without a restart."""
    stack.stop(CHAT)
    url = stack.url("api")
    body = {"model": MODEL, "messages": [{"role": "user", "content": "a"}]}
    try:
        answer = ask(f"{url}/v1/chat/completions", "POST", body, timeout=15)
        assert (answer.status, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
        assert ask(f"{url}/v1/search", "POST", {"query": "a"}, timeout=15).status == 200
        assert ask(f"{url}/readyz", timeout=15).status == 200
    finally:
        stack.start(CHAT)
    until(
        lambda: ask(f"{url}/v1/chat/completions", "POST", body, timeout=15).status == 200,
        30,
        "chats again",
        lambda: str(ask(f"{url}/readyz?verbose", timeout=15).body),
    )
