"""What surrounds an application, whatever middleware and routes it has of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.middleware.base import RequestResponseEndpoint
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.harness import answers
from tests.harness.lifespan import lifespan_of
from tests.harness.wire import converse
from warmstart import ServiceSettings, install, time_limit
from warmstart.lifecycle.phase import Phase

PROBES = ("/livez", "/startupz", "/readyz", "/readyz/lifecycle", "/metrics")


class Closed:
    """An application's own authentication, which nobody passes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """401, but for the lifespan."""
        closed: ASGIApp = PlainTextResponse("who are you?", 401)
        await (closed if scope["type"] == "http" else self._app)(scope, receive, send)


def events() -> StreamingResponse:
    """As frameworks for server-sent events answer."""
    return StreamingResponse(iter("ab"), headers={"Connection": "keep-alive"}, media_type="text/event-stream")


def make(closed: str = "") -> FastAPI:
    """An application that may be `closed` by a middleware, added `before` or `after`, or by a mount."""
    settings = ServiceSettings(max_body_bytes=200, request_timeout=5)

    app = FastAPI(lifespan=lifespan_of(settings))
    if closed == "before":
        app.add_middleware(Closed)
    if closed == "mount":
        app.mount("/", PlainTextResponse("who are you?", 401))
    install(app, settings, cors_origins=["https://page.example"])
    if closed == "after":
        app.add_middleware(Closed)

    @app.get("/thing")
    async def thing() -> dict[str, int]:
        return {"a": 1}

    @app.post("/thing")
    async def post(body: dict[str, int]) -> None:
        return None

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError

    app.add_api_route("/events", events)
    return app


@pytest.mark.parametrize("off", ["docs_url", "redoc_url", "swagger_ui_oauth2_redirect_url", "openapi_url"])
def test_a_page_may_be_off(off: str) -> None:
    """Without one of FastAPI's pages, or any, an application still has the routes that it included."""
    app = FastAPI(**{off: None})  # type: ignore[arg-type]
    routes = APIRouter()
    routes.get("/thing")(lambda: "mine")
    app.include_router(routes)
    install(app, ServiceSettings())
    app.state.ready = True
    client = TestClient(app)
    assert client.get("/thing").json() == "mine"
    pages = {name: getattr(app, name) for name in ("docs_url", "redoc_url") if getattr(app, name)}
    served = [client.get(path).status_code == 200 for path in pages.values()]
    assert served == [off != "openapi_url"] * len(pages)


def test_an_application_may_be_mounted() -> None:
    """The answers of a mounted application have the request's id and, while draining, the header."""
    app, mounted = make(), FastAPI()
    mounted.get("/other")(lambda: "mine")
    app.mount("/part", mounted)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert [client.get(path).status_code for path in ("/part/other", "/part/nosuch", "/thing")] == [200, 404, 200]
        app.state.lifecycle._enter(Phase.DRAINING)
        answer = client.get("/part/other")
        assert (answer.json(), answer.headers["connection"]) == ("mine", "close")
        assert "x-request-id" in answer.headers


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of the open application."""
    with TestClient(make(), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("closed", ["before", "after", "mount"])
def test_probes_are_outermost(closed: str) -> None:
    """Nothing that an application has of its own, added before or after, can hide probes and metrics."""
    with TestClient(make(closed)) as client:
        assert client.get("/thing").status_code == 401
        found = [client.request(method, path).status_code for path in PROBES for method in ("GET", "HEAD")]
        assert found == [200] * 2 * len(PROBES)


@pytest.mark.parametrize("path", [*PROBES, "/thing", "/openapi.json", "/nosuch", "/bug"])
def test_head_is_get_without_a_body(client: TestClient, path: str) -> None:
    """HEAD has the status, type and length of GET on every route, and no body."""
    answers = [client.request(method, path) for method in ("GET", "HEAD")]
    assert answers[1].content == b""
    varies = ("/metrics", "/startupz")  # with each look
    same = ("content-type",) if path in varies else ("content-type", "content-length")
    get, head = ((each.status_code, *(each.headers[name] for name in same)) for each in answers)
    assert head == get


def test_head_is_counted_as_such(client: TestClient) -> None:
    """The metrics tell HEAD from GET, with the route that answered."""
    client.head("/thing")
    assert answers("HEAD", "/thing", 200) in client.get("/metrics").text


def routed() -> tuple[FastAPI, list[str]]:
    """An application with routes for HEAD, before, behind and without GET, and what was called."""
    app, part, called = FastAPI(), FastAPI(), list[str]()
    install(app, ServiceSettings())

    def route(to: FastAPI, path: str, *methods: str) -> None:
        to.add_api_route(path, lambda: called.append(" ".join(methods)), methods=list(methods))

    route(app, "/only", "HEAD")
    route(app, "/both", "GET")
    route(app, "/both", "HEAD")
    route(app, "/first", "HEAD")
    route(app, "/first", "GET")
    route(app, "/shared", "GET", "HEAD")
    route(app, "/get", "GET")
    route(part, "/only", "HEAD")
    route(part, "/get", "GET")
    app.mount("/part", part)
    app.mount("/", Starlette(routes=[Route("/{path:path}", PlainTextResponse("all else"))]))
    return app, called


@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("/only", ["HEAD"]),
        ("/both", ["HEAD"]),
        ("/first", ["HEAD"]),
        ("/shared", ["GET HEAD"]),
        ("/get", ["GET"]),
        ("/part/only", ["HEAD"]),
        ("/part/get", ["GET"]),
        ("/livez", []),
        ("/else", []),
    ],
)
def test_an_application_may_have_routes_for_head(path: str, called: list[str]) -> None:
    """HEAD is theirs, also in a mounted application; where there is none, the GET route of the path answers."""
    app, seen = routed()
    app.state.ready = True
    assert TestClient(app).head(path).status_code == 200
    assert seen == called


@pytest.mark.parametrize("path", ["/endless", "/silent", "/plain"])
def test_a_stream_ends_after_its_head(path: str) -> None:
    """HEAD of an event stream without a time limit is answered at once, and its generator is closed."""
    app, closed = FastAPI(), list[str]()
    install(app, ServiceSettings())
    app.state.ready = True

    async def forever(pause: float) -> AsyncIterator[bytes]:
        try:
            while True:
                await asyncio.sleep(pause)
                yield b"data: x\n\n"
        finally:
            closed.append(path)

    async def plain(request: Request) -> StreamingResponse:
        return StreamingResponse(forever(0))

    app.add_api_route("/endless", lambda: StreamingResponse(forever(0)), dependencies=[time_limit(None)])
    app.add_api_route("/silent", lambda: StreamingResponse(forever(3600)), dependencies=[time_limit(None)])
    app.add_route("/plain", plain)  # starlette's, which takes HEAD

    async def scenario() -> bytes:
        sent = await converse(app, [b"HEAD %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode()])
        async with asyncio.timeout(10):
            while not closed:
                await asyncio.sleep(0)
        return sent

    sent = asyncio.run(scenario())
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\n")


def test_an_answer_of_known_length_ends_by_itself_at_head() -> None:
    """Behind middleware of FastAPI's decorator, too, which says of each piece that more may follow."""
    app, done = FastAPI(), list[str]()
    install(app, ServiceSettings())
    app.state.ready = True

    @app.middleware("http")
    async def passes(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    async def transaction() -> AsyncIterator[None]:
        yield
        done.append("committed")

    @app.get("/record", dependencies=[Depends(transaction)])
    async def record(later: BackgroundTasks) -> dict[str, int]:
        later.add_task(done.append, "told")
        return {"a": 1}

    assert TestClient(app).head("/record").status_code == 200
    assert sorted(done) == ["committed", "told"]


def refuse() -> None:
    raise HTTPException(405, headers={"Allow": "PATCH"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/thing/x", "DELETE, GET"),
        ("PUT", "/outer/inner/thing/x", "DELETE, GET"),
        ("GET", "/refusing", "PATCH"),
        ("PUT", "/refusing", "GET, POST"),
        ("POST", "/livez", "GET"),
    ],
    ids=["the application's", "of an included router", "a route's own refusal", "beside such a route", "a probe"],
)
def test_a_wrong_method_is_told_all_right_ones(method: str, path: str, allowed: str) -> None:
    """The 405 of a path that several routes share names the methods of all; a route's own 405 stays as it is."""
    app, outer, inner = FastAPI(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
    install(app, ServiceSettings())
    for each in ("GET", "DELETE"):
        app.add_api_route("/thing/{name}", lambda: None, methods=[each])
        inner.add_api_route("/thing/{name}", lambda: None, methods=[each])
    app.add_api_route("/refusing", refuse)
    app.add_api_route("/refusing", lambda: None, methods=["POST"])
    outer.include_router(inner)
    app.include_router(outer)
    answer = TestClient(app).request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_the_server_sends_no_body_for_head() -> None:
    """On the wire an answer to HEAD ends with its headers."""
    app = FastAPI()
    install(app, ServiceSettings())
    sent = asyncio.run(converse(app, [b"HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]))
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\n")
    assert b"content-length: 2\r\n" in sent


def test_an_unexpected_error_ends_the_connection_and_says_so(client: TestClient) -> None:
    """uvicorn closes the connection after an unexpected 500; a client is told, so that it does not use it again."""
    assert client.get("/bug").headers["connection"] == "close"
    assert "connection" not in client.get("/nosuch").headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/thing", 200),
        ("HEAD", "/thing", 200),
        ("GET", "/bug", 500),
        ("GET", "/nosuch", 404),
        ("PUT", "/thing", 405),
        ("POST", "/thing", 413),
        ("GET", "/livez", 200),
        ("GET", "/events", 200),
        ("OPTIONS", "/thing", 200),
    ],
)
def test_every_answer_of_a_draining_process_ends_its_connection(
    client: TestClient, method: str, path: str, status: int
) -> None:
    """The answer of a route, an unexpected error, a limit, a probe, a preflight or a stream ends its connection."""
    client.app.state.lifecycle._enter(Phase.DRAINING)  # type: ignore[attr-defined]
    preflight = (
        {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"} if method == "OPTIONS" else {}
    )
    content = b"x" * 300 if method == "POST" else None
    answer = client.request(method, path, headers=preflight, content=content)
    assert (answer.status_code, answer.headers.get_list("connection")) == (status, ["close"])


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "GZIP", "zstd", "nonsense"])
def test_an_encoded_body_is_refused_by_name(client: TestClient, encoding: str) -> None:
    """A compressed body is a 415 that names its encoding and says what is accepted; `identity` is none."""
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    answer = client.post("/thing", content=b"\x1f\x8b\x08\x00", headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert encoding.lower() in answer.json()["error"]["message"]
    assert client.post("/thing", json={}, headers={"Content-Encoding": "identity"}).status_code == 200


def test_a_page_may_call_from_an_allowed_origin(client: TestClient) -> None:
    """Every answer to it, errors too, lets its scripts read the answer and the headers that matter to them."""
    for path, status in (("/thing", 200), ("/bug", 500), ("/nosuch", 404), ("/livez", 200)):
        answer = client.get(path, headers={"Origin": "https://page.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "https://page.example")
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        assert (
            "access-control-allow-origin" not in client.get(path, headers={"Origin": "https://other.example"}).headers
        )


def test_a_preflight_is_answered(client: TestClient) -> None:
    """The browser learns that the page may send JSON and a key; for another origin, or method, it is a typed 400."""
    asked = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = client.options("/thing", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://page.example")
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    for method in ("PUT", "PATCH", "DELETE"):
        assert client.options("/thing", headers=asked | {"Access-Control-Request-Method": method}).status_code == 200
    for changed in ({"Origin": "https://other.example"}, {"Access-Control-Request-Method": "TRACE"}):
        refused = client.options("/thing", headers=asked | changed)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "cors_refused")


def test_what_an_application_sends_stays_its_own() -> None:
    """A message that it sends again and again gathers no headers of the requests before; names may be in any case."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"X-Frame-Options", b"SAMEORIGIN")]}
    before = deepcopy(start)

    async def constant(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    app = FastAPI()
    app.mount("/constant", constant)
    install(app, ServiceSettings(), cors_origins=["https://page.example"])
    app.state.ready = True
    client = TestClient(app)
    answers = [client.get("/constant/x", headers={"Origin": "https://page.example"}) for _ in range(2)]
    assert start == before
    assert sorted(answers[0].headers) == sorted(answers[1].headers)
    assert answers[1].headers.get_list("x-frame-options") == ["SAMEORIGIN"]
