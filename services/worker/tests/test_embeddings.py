"""POST /embeddings/ and GET /model, over the real lifespan."""

import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fastapi.testclient import TestClient

from services.worker.tests.stand_ins import LIMIT, POISON, PoisonEngine, RecordingEngine, metric, serving
from stack import until
from warmstart.http.timing import Timings
from worker.app import create_app
from worker.engines.base import TokenIds
from worker.engines.fake import FakeEngine
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BINARY = {"Accept": "application/octet-stream"}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """The worker as it is shipped, with the real model."""
    with TestClient(create_app(WorkerSettings(engine="sentence-transformers", drain_seconds=0))) as client:
        yield client


def test_vectors_equal_the_references(
    client: TestClient, reference: "SentenceTransformer", varied_texts: list[str]
) -> None:
    """The JSON answer matches `SentenceTransformer.encode(normalize_embeddings=True)` to 1e-5."""
    answer = client.post("/embeddings/", json={"texts": varied_texts})
    assert answer.status_code == 200
    expected = reference.encode(varied_texts, normalize_embeddings=True)
    np.testing.assert_allclose(answer.json()["embeddings"], expected, atol=1e-5)
    assert (answer.json()["model"], answer.json()["dimensions"]) == ("all-MiniLM-L6-v2", 384)


def test_tokens_are_counted_as_the_tokenizer_does(
    client: TestClient, reference: "SentenceTransformer", varied_texts: list[str]
) -> None:
    """Counts include special tokens, after truncation: per text in a header, in total in header and body."""
    expected = [reference.preprocess([text])["input_ids"].shape[1] for text in varied_texts]
    answer = client.post("/embeddings/", json={"texts": varied_texts})
    assert answer.headers["X-Text-Tokens"] == ",".join(map(str, expected))
    assert answer.headers["X-Prompt-Tokens"] == str(sum(expected))
    assert answer.json()["prompt_tokens"] == sum(expected)


@pytest.mark.reference
def test_the_binary_form_has_the_same_rows(client: TestClient, varied_texts: list[str]) -> None:
    """application/octet-stream is rows of little-endian float32, with the same headers."""
    as_json = client.post("/embeddings/", json={"texts": varied_texts})
    binary = client.post("/embeddings/", json={"texts": varied_texts}, headers=BINARY)
    assert binary.headers["Content-Type"] == "application/octet-stream"
    rows = np.frombuffer(binary.content, "<f4").reshape(-1, int(binary.headers["X-Dimensions"]))
    np.testing.assert_allclose(rows, as_json.json()["embeddings"], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    for name in ("X-Model", "X-Model-Fingerprint", "X-Model-Space", "X-Prompt-Tokens", "X-Text-Tokens"):
        assert binary.headers[name] == as_json.headers[name]


def test_token_ids_equal_their_text(
    client: TestClient, reference: "SentenceTransformer", varied_texts: list[str]
) -> None:
    """Ids without special tokens give the vectors and counts of the text that they came from."""
    texts = [text for text in varied_texts if text.strip()]
    ids = [reference.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    by_ids = client.post("/embeddings/", json={"token_ids": ids})
    by_text = client.post("/embeddings/", json={"texts": texts})
    np.testing.assert_allclose(by_ids.json()["embeddings"], by_text.json()["embeddings"], atol=1e-5)
    assert by_ids.headers["X-Text-Tokens"] == by_text.headers["X-Text-Tokens"]


@pytest.mark.reference
def test_the_model_route_names_what_is_served(client: TestClient) -> None:
    """GET /model has the identity that every answer carries."""
    info = client.get("/model").json()
    answer = client.post("/embeddings/", json={"texts": ["a"]})
    assert re.fullmatch("[0-9a-f]{64}", info["fingerprint"])
    assert answer.headers["X-Model-Fingerprint"] == info["fingerprint"]
    assert answer.headers["X-Model-Space"] == info["space"]
    assert answer.headers["X-Model"] == info["model"] == "all-MiniLM-L6-v2"
    assert (info["dimensions"], info["max_tokens"]) == (384, 256)
    assert (info["engine"], info["precision"]) == ("sentence-transformers", "fp32")
    assert info["threads"] == WorkerSettings().threads


@pytest.mark.reference
def test_the_answer_says_where_its_time_went(client: TestClient) -> None:
    """Server-Timing has the stages tokenize, queue and inference."""
    timings = Timings.parse(client.post("/embeddings/", json={"texts": ["a"]}).headers["Server-Timing"])
    assert list(timings) == ["tokenize", "queue", "inference"]
    assert timings["inference"] > 0


def test_concurrent_clients_get_their_own_answers() -> None:
    """Eight clients at once, 25 requests each: every answer is the asked text's."""
    wrong: list[str] = []

    def ask(client: TestClient, who: int) -> None:
        for number in range(25):
            text = f"client {who} request {number}"
            got = client.post("/embeddings/", json={"texts": [text]}).json()["embeddings"]
            if not np.allclose(got, FakeEngine().embed(FakeEngine().encode([text])), atol=1e-6):
                wrong.append(text)

    with serving(RecordingEngine()) as client:
        threads = [threading.Thread(target=ask, args=(client, who)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


class PoolEngine(RecordingEngine):
    """Encodes texts in one pool, as tokenizers does, for as long as the gate is closed; one text needs no pool."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.pool = threading.Event(), threading.Lock()
        self.encoded: list[int] = []

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Wait for the pool, and in it for the gate."""
        if len(texts) > 1:
            with self.pool:
                self.encoded.append(len(texts[0]))
                assert self.gate.wait(LIMIT), "the test never opened the gate"
        return super().encode(texts)


def test_long_texts_are_tokenized_off_the_event_loop() -> None:
    """Only a short request is tokenized on the loop; the model runs on the inference thread either way."""
    engine = RecordingEngine()
    with serving(engine) as client:
        for texts in (["short"], ["long " * 4000] * 64):
            assert client.post("/embeddings/", json={"texts": texts}).status_code == 200
    on_loop, *off_loop = engine.encoded_on
    assert on_loop not in ("tokenizing", "inference")
    assert set(off_loop) == {"tokenizing"}
    assert set(engine.embedded_on) == {"inference"}


def test_short_texts_do_not_wait_for_the_long_ones_of_others() -> None:
    """Several short texts are tokenized while the tokenizer's pool is full: the event loop never waits for it."""
    engine = PoolEngine()
    with serving(engine) as client, ThreadPoolExecutor(1) as others:
        long = others.submit(client.post, "/embeddings/", json={"texts": ["long " * 4000] * 2})
        until(lambda: engine.encoded, LIMIT, "long texts are being tokenized")
        try:
            assert client.post("/embeddings/", json={"texts": ["short"] * 16}).status_code == 200
        finally:
            engine.gate.set()
        assert long.result(LIMIT).status_code == 200


def test_long_texts_of_several_requests_take_turns() -> None:
    """A request with few long texts waits for a portion of a large one, and not for all of its texts."""
    engine = PoolEngine()
    with serving(engine) as client, ThreadPoolExecutor(2) as others:
        many = others.submit(client.post, "/embeddings/", json={"texts": ["x" * 5000] * 64})
        until(lambda: engine.encoded, LIMIT, "the large request is being tokenized")
        few = others.submit(client.post, "/embeddings/", json={"texts": ["y" * 2000] * 2})
        until(lambda: metric("worker_queue_texts", lane="interactive") == 2, LIMIT, "the small one has come")
        client.get("/livez")  # and its turn of the event loop has ended
        engine.gate.set()
        assert (many.result(LIMIT).status_code, few.result(LIMIT).status_code) == (200, 200)
    assert engine.encoded == [5000, 2000, 5000, 5000, 5000]


def test_a_text_that_can_not_be_embedded_is_named() -> None:
    """The error is typed and names the text; the next request is served."""
    with serving(PoisonEngine()) as client:
        failed = client.post("/embeddings/", json={"texts": ["a", POISON]})
        assert failed.status_code == 500
        assert failed.json()["error"]["code"] == "inference_failed"
        assert failed.json()["error"]["param"] == "texts.1"
        assert client.post("/embeddings/", json={"texts": ["a"]}).status_code == 200
