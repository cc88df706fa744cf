"""The bodies of all requests together, and of one: bounded before they are read, and before they are parsed."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.testclient import TestClient
from pydantic import ValidationError
from starlette.middleware.base import RequestResponseEndpoint

from tests.harness.wire import bodies, connect, converse, statuses
from warmstart import ServiceSettings, install
from warmstart.errors import BadRequest, ClientGone, ServiceError
from warmstart.http.body_limit import release_body
from warmstart.http.disconnect import unless_disconnected
from warmstart.http.errors import ErrorFormat
from warmstart.http.json_values import more_values_than
from warmstart.http.room import SMALL

KIB = 2**10
MANY = json.dumps([0] * 150).encode()
UTF_16 = "[0]".encode("utf-16")
HEAD = b"POST /parse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
DECLARED = b"Content-Length: %d\r\n\r\n%s"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
SETTINGS = ServiceSettings(max_body_bytes=700 * KIB, max_body_bytes_in_flight=1000 * KIB, max_body_values=100)


def make(error_format: ErrorFormat = "envelope") -> FastAPI:
    """An application that reads."""
    app = FastAPI()
    install(app, SETTINGS, error_format=error_format)
    app.state.ready = True

    @app.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.post("/parse")
    async def parse(body: dict[str, Any]) -> int:
        return len(body)

    @app.post("/last")
    async def last(request: Request) -> None:
        await request.body()
        release_body(request)
        with pytest.raises(RuntimeError):  # its memory is free, too
            await request.body()
        app.state.begun.set()
        try:
            await unless_disconnected(request, asyncio.Event().wait())
        except ServiceError as error:
            app.state.ended.set_result(error.code)
            raise

    return app


def head(size: int | None, path: bytes = b"/read", more: bytes = b"Connection: close\r\n") -> bytes:
    """A POST of so many bytes, or of chunks."""
    length = b"Transfer-Encoding: chunked" if size is None else b"Content-Length: %d" % size
    kind = b"Content-Type: application/json\r\n"
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n\r\n" % (path, kind, more, length)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_waits_for_room(chunked: bool) -> None:
    """A body that doesn't fit beside the others gets 503 with Retry-After, small ones pass; later there is room."""
    large = b"x" * (700 * KIB)

    async def scenario() -> list[list[int]]:
        app = make()
        reader, writer, _ = await connect(app)
        writer.write(head(len(large)))  # and no more: its room is taken
        await asyncio.sleep(0.05)
        second = [head(None), b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)] if chunked else [head(len(large)), large]
        refused = await converse(app, second)
        (answer,) = bodies(refused)
        assert answer["error"]["code"] == "overloaded"
        assert b"retry-after: 1\r\n" in refused
        small = await converse(app, [head(SMALL), b"x" * SMALL])
        writer.write(large)
        first = await reader.read()
        return [statuses(each) for each in (refused, small, first, await converse(app, second))]

    assert asyncio.run(scenario()) == [[503], [200], [200], [200]]


def test_room_is_given_back_by_those_who_leave() -> None:
    """A client that leaves in the middle of its body frees its room."""

    async def scenario() -> list[int]:
        app = make()
        for _ in range(3):
            _, writer, connection = await connect(app)
            writer.write(head(700 * KIB) + b"x" * 1000)
            await asyncio.sleep(0.02)
            writer.close()
            async with asyncio.timeout(5):
                while connection in connection.connections:
                    await asyncio.sleep(0.01)
        return statuses(await converse(app, [head(700 * KIB), b"x" * 700 * KIB]))

    assert asyncio.run(scenario()) == [200]


def test_an_answer_that_lasts_holds_no_room() -> None:
    """Once it has released its body, another one has the room; that its client leaves takes none again."""
    large = b"x" * (700 * KIB)

    async def scenario() -> tuple[list[int], list[int], str]:
        app = make()
        app.state.begun, app.state.ended = asyncio.Event(), asyncio.get_running_loop().create_future()
        async with asyncio.timeout(10):
            _, lasting, _ = await connect(app)
            lasting.write(head(len(large), b"/last") + large)
            await app.state.begun.wait()
            reader, second, _ = await connect(app)
            second.write(head(len(large)))  # and no more: it has the room
            third = await converse(app, [head(len(large)), large])
            lasting.close()
            code = await app.state.ended
            second.write(large)
            return statuses(await reader.read()), statuses(third), code

    assert asyncio.run(scenario()) == ([200], [503], ClientGone.code)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([0] * 150, 400),
        ([[]] * 60, 400),
        ({str(n): n for n in range(150)}, 400),
        ({"text": "a,[{" * 1000}, 200),
        ({"text": 'a,[{"\\' * 1000}, 200),
        ({"text": ["\\", ",,," * 100, '\\"']}, 200),
    ],
)
def test_a_body_holds_so_many_values(body: Any, status: int) -> None:
    """Too many values are a 400 that names the limit, without being parsed; a text may hold any number of commas."""
    content = json.dumps(body).encode()
    sent = asyncio.run(converse(make(), [head(len(content), b"/parse"), content[:20], content[20:]]))
    assert statuses(sent) == [status]
    if status == 400:
        assert "100 JSON values" in bodies(sent)[0]["error"]["message"]


@pytest.mark.parametrize("more", [b"Content-Type: text/plain\r\n", b"Content-Type: \r\n"])
def test_a_second_content_type_hides_no_json(more: bytes) -> None:
    """Whichever of several types the application goes by, too many values are refused before they are parsed."""
    content = json.dumps([0] * 150).encode()
    sent = asyncio.run(converse(make(), [head(len(content), b"/parse", b"Connection: close\r\n" + more), content]))
    assert [each["error"]["code"] for each in bodies(sent)] == ["too_many_values"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_hides_no_values(encoding: str) -> None:
    """Python's parser reads UTF-16 too, in which the bytes of U+2200 look like a quotation mark."""
    content = json.dumps({"\u2200": [0] * 150}, ensure_ascii=False).encode(encoding)
    (answer,) = bodies(asyncio.run(converse(make(), [head(len(content), b"/parse"), content])))
    assert answer["error"]["code"] == "json_invalid"


@pytest.mark.parametrize("error_format", ["envelope", "fastapi"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (DECLARED % (len(MANY), MANY), 400),
        (DECLARED % (len(UTF_16), UTF_16), 400),
        (CHUNKED % (900 * KIB, b" " * 900 * KIB), 413),
    ],
    ids=["values", "utf-16", "chunks"],
)
def test_middleware_that_reads_a_body_meets_the_same_limits(
    body: bytes, status: int, error_format: ErrorFormat, caplog: pytest.LogCaptureFixture
) -> None:
    """As to sign it: the refusal is the same answer, and no fault in the log."""
    app = make(error_format)

    @app.middleware("http")
    async def sign(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await request.body()
        return await call_next(request)

    sent = asyncio.run(converse(app, [HEAD + body]))
    assert statuses(sent) == [status]
    assert {"envelope": b'{"error": {', "fastapi": b'{"detail":'}[error_format] in sent
    assert "Traceback" not in caplog.text


def test_a_refusal_that_an_application_answers_by_500_is_in_the_log() -> None:
    """With a handler of its own for all errors, the application's fault is raised again, as starlette does."""
    app = make("envelope")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return Response("oops", 500)

    @app.middleware("http")
    async def sign(request: Request, call_next: RequestResponseEndpoint) -> Response:
        await request.body()
        return await call_next(request)

    with pytest.raises(BadRequest):
        TestClient(app).post("/read", content=UTF_16, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("error_format", ["envelope", "fastapi"])
def test_what_middleware_raises_has_its_status(error_format: ErrorFormat) -> None:
    """FastAPI answers 500, since only routes may raise an HTTPException."""
    app = make(error_format)

    @app.middleware("http")
    async def refuse(request: Request, call_next: RequestResponseEndpoint) -> Response:
        raise HTTPException(401, "who are you?", {"WWW-Authenticate": "Bearer"})

    answer = TestClient(app, raise_server_exceptions=False).post("/read")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["connection"] == "close"  # uvicorn cuts it, as starlette raises again
    assert "who are you?" in answer.text


def test_the_largest_body_fits_when_it_is_alone() -> None:
    """A body of the largest size must find room when nothing else is under way."""
    with pytest.raises(ValidationError, match="three quarters of MAX_BODY_BYTES_IN_FLIGHT"):
        ServiceSettings(max_body_bytes=800 * KIB, max_body_bytes_in_flight=1000 * KIB)


@pytest.mark.parametrize("unit", ["7,", "[],", '"",', '"\\"",', '{"a":"b"},'])
def test_counting_is_exact_outside_strings(unit: str) -> None:
    """Values and containers are counted as a parser would, whatever the strings hold."""
    text = f"[{(unit * 50_000)[:-1]}]".encode()
    marks = 50_000 + (50_000 if unit[0] in "[{" else 0)
    assert more_values_than(marks - 1, text)
    assert not more_values_than(marks, text)
