"""Many of the largest bodies or answers at once: the process stays within its memory, and answers its probes."""

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from api.schemas.documents import DocumentsIn
from api.schemas.embeddings import MAX_IDS, EmbeddingRequest
from services.api.tests.conftest import MODEL, Api
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
    answer = connection.getresponse()
    answer.read()
    return answer.status


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


def test_forty_large_answers_at_once(stack: EmbeddedStack) -> None:
    """Each is 16 MB, for a body of 17 KB; they are written as their clients read them."""
    port = int(stack.url("api").rsplit(":", 1)[1])
    body = json.dumps({"model": MODEL, "input": [f"w{number}" for number in range(2048)]}).encode()
    assert post(port, body) == 200  # the others find the texts in Redis
    with ThreadPoolExecutor(40) as clients:
        assert set(clients.map(post, [port] * 40, [body] * 40)) == {200}
    assert most_memory(port) < MEMORY


def test_a_client_may_read_for_longer_than_a_request_may_take(api: Api) -> None:
    """REQUEST_TIMEOUT is for the work, not for the way of a large answer to a client that reads it slowly."""
    service = api(REQUEST_TIMEOUT=3)
    body = json.dumps({"model": MODEL, "input": ["word"] * 2048}).encode()
    connection, began, size = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30), time.monotonic(), 0
    connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    while piece := answer.read(2**16):
        size += len(piece)
        time.sleep(0.05 if time.monotonic() - began < 5 else 0)
    assert answer.status == 200
    assert size > 2**23


@pytest.mark.parametrize("count", [1, 64, 65, 2048])
def test_a_client_of_http_1_0_gets_a_large_answer_whole(stack: EmbeddedStack, count: int) -> None:
    """It knows no chunks (RFC 9112, section 6.1)."""
    port = int(stack.url("api").rsplit(":", 1)[1])
    body = json.dumps({"model": MODEL, "input": ["word"] * count}).encode()
    head = f"POST /v1/embeddings HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        answered, _, content = b"".join(iter(lambda: connection.recv(2**16), b"")).partition(b"\r\n\r\n")
    assert b" 200 " in answered.splitlines()[0]
    assert len(json.loads(content)["data"]) == count


def test_clients_that_read_slowly_hold_no_room_for_bodies(api: Api) -> None:
    """While two of them have read only the heads of their answers, a third body of 3 MiB finds room within 8 MiB."""
    service = api(MAX_BODY_BYTES_IN_FLIGHT=2**23)
    body = json.dumps({"model": MODEL, "input": ["word"] * 2048}).encode().ljust(3 * 2**20)
    with ExitStack() as slow:
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
            slow.callback(connection.close)
            connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
            assert connection.getresponse().status == 200
        assert post(service.port, body) == 200


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
