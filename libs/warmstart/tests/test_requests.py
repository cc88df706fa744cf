"""What surrounds a request: errors, limits, deadlines, and clients that leave."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from tests.harness import answers
from tests.harness.lifespan import lifespan_of
from warmstart import ServiceSettings, install
from warmstart.errors import BadRequest, ClientGone, Overloaded
from warmstart.http.deadline import remaining
from warmstart.http.disconnect import unless_disconnected


class Body(BaseModel, extra="forbid"):
    """At most two texts."""

    texts: list[str] = Field(max_length=2)


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Of an app that has time."""
    with TestClient(application(request_timeout=60), raise_server_exceptions=False) as client:
        yield client


def application(request_timeout: float) -> FastAPI:
    """An app with routes that fail in every way."""
    settings = ServiceSettings(max_body_bytes=200, request_timeout=request_timeout)

    app = FastAPI(lifespan=lifespan_of(settings))
    install(app, settings)

    @app.post("/texts")
    async def texts(body: Body) -> int:
        return len(body.texts)

    @app.get("/raise/{kind}")
    async def raise_(kind: str) -> None:
        raise {"typed": BadRequest("no", param="kind"), "busy": Overloaded("full", retry_after=1.2)}.get(
            kind, RuntimeError("secret detail")
        )

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(5)

    router = APIRouter()

    @router.get("/things/{name}")
    async def thing(name: str) -> str:
        return name

    app.include_router(router, prefix="/v1")
    return app


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        (
            "/raise/typed",
            400,
            {"message": "no", "type": "invalid_request_error", "param": "kind", "code": "invalid_value"},
        ),
        (
            "/nosuch",
            404,
            {"message": "Not Found", "type": "invalid_request_error", "param": None, "code": "not_found"},
        ),
        (
            "/raise/bug",
            500,
            {
                "message": "internal error; the log has the details",
                "type": "server_error",
                "param": None,
                "code": "internal_error",
            },
        ),
    ],
)
def test_every_error_has_the_envelope(client: TestClient, path: str, status: int, error: dict[str, object]) -> None:
    """Typed errors, the router's and bugs all answer with the envelope, and a bug shows nothing of itself."""
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_retry_after_is_whole_seconds_rounded_up(client: TestClient) -> None:
    """An overloaded answer carries `Retry-After` in whole seconds, never less than was meant."""
    assert client.get("/raise/busy").headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b'{"texts": ["a", 1]}', "texts.1", "valid string"),
        (b'{"texts": ["a", "b", "c"]}', "texts", "at most 2 items"),
        (b"{}", "texts", "required"),
        (b'{"texts": ', None, "not valid JSON"),
        (b"\x1f\x8b\x08\x00", None, "JSON in UTF-8"),
        (b'{"texts": ["\xff"]}', None, "JSON in UTF-8"),
        (b'{"texts": [NaN]}', "texts.0", "valid string"),
        (b'{"texts": [], "\\ud800": 1}', None, "unicode"),
    ],
)
def test_invalid_input_names_field_and_limit(client: TestClient, body: bytes, param: str | None, words: str) -> None:
    """Input that does not fit its model is a 400 whose `param` is the field's path and whose message has the limit."""
    answer = client.post("/texts", content=body, headers={"Content-Type": "application/json"})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert words in error["message"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused(client: TestClient, declared: bool) -> None:
    """A body over `MAX_BODY_BYTES` is a 413, whether its length is declared or it comes in pieces."""
    content = b'{"texts": ["%s"]}' % (b"x" * 300)
    answer = client.post("/texts", content=content if declared else iter([content[:100], content[100:]]))
    assert answer.status_code == 413
    assert "200 bytes" in answer.json()["error"]["message"]


def test_a_request_over_its_budget_is_a_504() -> None:
    """A request that takes longer than `REQUEST_TIMEOUT` is answered with a typed 504."""
    with TestClient(application(request_timeout=0.3)) as client:
        answer = client.get("/slow")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")


@pytest.mark.parametrize(
    ("asked", "budget"), [("50", 50), ("120", 100), ("0", 100), ("-1", 100), ("nan", 100), ("soon", 100), (None, 100)]
)
def test_the_callers_budget_counts_when_it_is_shorter(asked: str | None, budget: float) -> None:
    """`X-Request-Timeout` shortens the budget and can't lengthen it; what is no number is ignored."""
    app = FastAPI()
    install(app, ServiceSettings(request_timeout=100))
    app.state.ready = True

    @app.get("/left")
    async def left(request: Request) -> float:
        return remaining(request)

    answer = TestClient(app).get("/left", headers={"X-Request-Timeout": asked} if asked else {})
    assert budget / 2 < answer.json() <= budget


def test_metrics_are_labelled_by_template(client: TestClient) -> None:
    """A request counts under its route's template, prefix included; what matches no route under `unmatched`."""
    client.get("/v1/things/secret-name")
    client.get("/nosuch-path")
    counted = client.get("/metrics").text
    assert answers("GET", "/v1/things/{name}", 200) in counted
    assert answers("GET", "unmatched", 404) in counted
    assert "secret-name" not in counted
    assert "nosuch-path" not in counted


def test_a_path_cannot_forge_a_log_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Line ends and escapes in a path are logged as they were sent, percent-encoded."""
    with caplog.at_level("INFO", "warmstart.access"):
        client.get("/nosuch%0aERROR%20forged%1b[31m")
    assert "/nosuch%0aERROR%20forged%1b" in caplog.messages[-1]
    assert "\n" not in caplog.messages[-1]


def test_a_body_without_its_content_type_is_explained(client: TestClient) -> None:
    """The commonest slip, JSON without its Content-Type, gets an answer that says so."""
    error = client.post("/texts", content=b'{"texts": []}').json()["error"]
    assert "Content-Type: application/json" in error["message"]


def test_work_is_cancelled_when_its_client_leaves() -> None:
    """`unless_disconnected` cancels the work and raises ClientGone at `http.disconnect`."""
    cancelled = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def scenario() -> None:
        async def receive() -> dict[str, str]:
            await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        request = Request({"type": "http"}, receive)
        with pytest.raises(ClientGone):
            await unless_disconnected(request, work())
        await asyncio.sleep(0)

    began = time.monotonic()
    asyncio.run(scenario())
    assert cancelled == [True]
    assert time.monotonic() - began < 30


def test_another_cancellation_is_not_the_clients_leaving() -> None:
    """A request that is cut by its time limit, or by the server's end, raises CancelledError as ever."""

    async def scenario() -> None:
        request = Request({"type": "http"}, asyncio.Event().wait)  # type: ignore[arg-type]
        serving = asyncio.create_task(unless_disconnected(request, asyncio.sleep(60)))
        await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait({serving})
        assert serving.cancelled()

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", range(6))
def test_a_client_that_leaves_with_the_answer_cancels_nothing_else(turns: int) -> None:
    """In whichever turn of the event loop it leaves, the request has its answer or ClientGone, and goes on after it."""

    async def scenario() -> str | None:
        async def receive() -> dict[str, str]:
            for _ in range(turns):
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def work() -> str:
            for _ in range(3):
                await asyncio.sleep(0)
            return "answer"

        answer = None
        with contextlib.suppress(ClientGone):
            answer = await unless_disconnected(Request({"type": "http"}, receive), work())
        for _ in range(5):
            await asyncio.sleep(0)
        return answer

    assert asyncio.run(scenario()) in ("answer", None)
