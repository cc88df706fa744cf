"""Ten of the largest bodies at once: the process stays within its container's memory, and answers its probes."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from api.schemas.documents import DocumentsIn
from api.schemas.embeddings import MAX_IDS, EmbeddingRequest
from services.api.tests.conftest import MODEL
from stack import EmbeddedStack
from tests.harness.http import get

MEMORY = 512 * 2**20  # the container's limit (compose.yaml)
SIZE = 4 * 2**20 - 4096
SHAPES = {
    "ids": "[" + "4321," * 3200 + "4321],",
    "lists": "[],",
    "objects": "{},",
    "short texts": '"a",',
    "long texts": '"' + "a" * 18_000 + '\N{SNOWMAN}",',
}


def large(shape: str) -> bytes:
    """A body for `/v1/embeddings` near the limit."""
    unit = SHAPES[shape]
    inputs = (unit * (SIZE // len(unit.encode())))[:-1]
    return f'{{"model": "{MODEL}", "input": [{inputs}]}}'.encode()


def post(port: int, body: bytes) -> int:
    """The status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
    return connection.getresponse().status


def most_memory(port: int) -> int:
    """Of one process of the service on this port, at its peak, in bytes."""
    found = [each.pid for each in psutil.net_connections("tcp") if getattr(each.laddr, "port", 0) == port]
    pids = {each.pid for pid in filter(None, found) for each in [psutil.Process(pid), *psutil.Process(pid).children()]}
    peaks = [Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0] for pid in pids]
    return max(map(int, peaks)) * 1024


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_large_bodies_at_once(stack: EmbeddedStack, shape: str) -> None:
    """Each is answered, refused by name or told to come again; memory stays below its limit, probes are 200."""
    port = int(stack.url("api").rsplit(":", 1)[1])
    body = large(shape)
    with ThreadPoolExecutor(10) as clients:
        posted = [clients.submit(post, port, body) for _ in range(10)]
        probes = {get(port, path, timeout=10).status for path in ("/livez", "/readyz") * 5}
        found = {each.result() for each in posted}
    assert found <= {200, 400, 503, 504}
    assert probes == {200}
    assert most_memory(port) < MEMORY


def test_token_ids_are_bounded_in_sum() -> None:
    """Many lists that are each short enough are refused together, with the limit."""
    EmbeddingRequest.model_validate({"model": "m", "input": [[1] * 8192] * (MAX_IDS // 8192)})
    with pytest.raises(ValidationError, match=f"at most {MAX_IDS} token ids in all"):
        EmbeddingRequest.model_validate({"model": "m", "input": [[1] * 8192] * (MAX_IDS // 8192) + [[1]]})


@pytest.mark.parametrize(
    "value", [[[]] * 1000, ["" for _ in range(1000)], [[-1] * 1000]], ids=["lists", "texts", "ids"]
)
def test_one_problem_is_enough(value: object) -> None:
    """Validation stops at the first problem: collecting all of a body can take all memory."""
    for model, body in (
        (EmbeddingRequest, {"model": "m", "input": value}),
        (DocumentsIn, {"documents": [json.loads("{}")] * 200}),
        (DocumentsIn, {"documents": [{f"unknown {n}": n for n in range(1000)}]}),
    ):
        with pytest.raises(ValidationError) as problem:
            model.model_validate(body)
        assert problem.value.error_count() == 1
