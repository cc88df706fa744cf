"""The id of a request: in its head, in its answer, and in each of its log lines."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from tests.harness.lifespan import lifespan_of
from tests.harness.wire import converse
from warmstart import Lifecycle, ServiceSettings, install, request_id, time_limit
from warmstart.errors import BadRequest
from warmstart.logs import ConsoleFormatter, JsonFormatter

log = logging.getLogger("tests.request_id")


def make_app() -> FastAPI:
    """An app whose routes end in every way."""
    settings = ServiceSettings(max_body_bytes=50)

    app = FastAPI(lifespan=lifespan_of(settings))
    install(app, settings)

    @app.post("/echo")
    async def echo(request: Request) -> str:
        return (await request.body()).decode()

    @app.get("/log")
    async def log_twice() -> str | None:
        log.warning("in the route")
        await asyncio.create_task(log_in_a_task())
        return request_id.current()

    @app.get("/typed")
    async def typed() -> None:
        raise BadRequest("no")

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("a bug")

    @app.get("/slow", dependencies=[time_limit(0.1)])
    async def slow() -> None:
        await asyncio.sleep(5)

    return app


async def log_in_a_task() -> None:
    """Work that a request started."""
    log.warning("in a task")


@pytest.fixture
def client() -> Iterator[TestClient]:
    """The app, ready."""
    with TestClient(make_app(), raise_server_exceptions=False) as client:
        yield client


@contextmanager
def logged(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    """What every logger writes at level info, as the formatter makes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/log", 200),
        ("GET", "/livez", 200),
        ("GET", "/readyz?verbose", 200),
        ("GET", "/metrics", 200),
        ("GET", "/typed", 400),
        ("GET", "/nosuch", 404),
        ("GET", "/echo", 405),
        ("POST", "/echo", 413),
        ("GET", "/bug", 500),
        ("GET", "/slow", 504),
    ],
)
def test_every_answer_has_the_id_that_came(client: TestClient, method: str, path: str, status: int) -> None:
    """The caller's id is in the answer once, whichever part makes the answer."""
    content = b"x" * 51 if status == 413 else None
    answer = client.request(method, path, content=content, headers={"X-Request-ID": "Trace_1.a-b"})
    assert (answer.status_code, answer.headers.get_list("x-request-id")) == (status, ["Trace_1.a-b"])


def test_an_answer_of_the_gate_has_it() -> None:
    """The refusals of a process that is not ready have the id."""
    app = make_app()
    Lifecycle(app, [], ServiceSettings())  # not entered: it is not ready
    answer = TestClient(app).get("/log", headers={"X-Request-ID": "early"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (503, "early")


@pytest.mark.parametrize(
    "sent",
    [None, "", "a b", "a\tb", "x" * 129, "a;b", "caf\xe9", '"quoted"', "\x1b[31m", "a,b", "%0a", "a%0aERROR forged"],
)
def test_any_other_id_is_replaced(client: TestClient, sent: str | None) -> None:
    """An id that could forge or fill a log is never used: the request gets one at random, another each time."""
    headers = {} if sent is None else {b"X-Request-ID": sent.encode("latin-1")}
    names = [client.get("/log", headers=headers).headers["x-request-id"] for _ in range(2)]
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in names)
    assert names[0] != names[1]


def test_the_longest_id_is_kept(client: TestClient) -> None:
    """128 characters are passed on."""
    assert client.get("/log", headers={"X-Request-ID": "x" * 128}).json() == "x" * 128


def test_each_line_of_a_request_has_its_id(client: TestClient) -> None:
    """A route, a task that it started and the access log write it; a line of no request has none."""
    with logged(ConsoleFormatter()) as stream:
        client.get("/log", headers={"X-Request-ID": "mine"})
        log.warning("of nobody")
    lines = [line for line in stream.getvalue().splitlines() if "httpx" not in line]
    assert [line.split("] ", 1)[1] for line in lines] == [
        "[mine] tests.request_id: in the route",
        "[mine] tests.request_id: in a task",
        lines[2].split("] ", 1)[1],
        "tests.request_id: of nobody",
    ]
    assert "[mine] warmstart.access: GET /log 200" in lines[2]


def test_a_request_that_is_refused_unparsed_is_logged_under_its_id() -> None:
    """The line has the id of the answer, and not that of a request before it."""
    refused = b"GET /log HTTP/1.1\r\nX-Request-ID: %s\r\nHost: a\r\nHost: b\r\n\r\n"
    with logged(ConsoleFormatter()) as stream:
        sent = [asyncio.run(converse(make_app(), [refused % name])) for name in (b"one", b"two")]
    assert [each.count(b"x-request-id: " + name) for each, name in zip(sent, (b"one", b"two"), strict=True)] == [1, 1]
    assert re.findall(r"\[(\w+)\] warmstart.connection: refused", stream.getvalue()) == ["one", "two"]


def test_each_json_line_of_a_request_has_its_id(client: TestClient) -> None:
    """In JSON it is the field `request_id`, which other lines lack."""
    with logged(JsonFormatter()) as stream:
        client.get("/bug", headers={"X-Request-ID": "mine"})
        log.warning("of nobody")
    lines = [json.loads(line) for line in stream.getvalue().splitlines() if "httpx" not in line]
    assert {line["request_id"] for line in lines if line["logger"].startswith("warmstart")} == {"mine"}
    assert [line.get("request_id") for line in lines if line["message"] == "of nobody"] == [None]
