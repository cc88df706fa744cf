"""What the service does beyond JSON requests: streams, WebSockets, background tasks, a mounted part, its own page."""

import asyncio
import http.client
from pathlib import Path

import aiohttp
import pytest

from stack.waiting import until
from tests.everyday.conftest import Run
from tests.everyday.world import Service


async def converse(service: Service, *rows: list[float]) -> list[float]:
    """What the WebSocket says to each row. Raises WSServerHandshakeError when it is refused."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{service.port}/predictions") as socket,
    ):
        answers = []
        for row in rows:
            await socket.send_json(row)
            answers.append(await socket.receive_json())
        return answers


def stream(service: Service, path: str) -> http.client.HTTPResponse:
    """An answer whose body is still to be read."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse()


def test_its_own_page_is_gated_like_any_route(run: Run) -> None:
    """`/` is the application's: while the model loads it gets 503, unless the application names it as open."""
    service = run(LOAD_SECONDS=30)
    service.wait_for("/livez", 200)
    assert service.get("/").status == 503
    opened = run(LOAD_SECONDS=30, OPEN_HOME=1)
    opened.wait_for("/livez", 200)
    assert opened.get("/").status == 200


def test_streams_and_sockets_wait_for_readiness(run: Run, tmp_path: Path) -> None:
    """While the model loads the handshake of a WebSocket, and a stream, get 503; afterwards they reach the model."""
    service = run(LOAD_SECONDS=0, HELD=1)
    service.wait_for("/livez", 200)
    assert service.get("/events").status == 503
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        asyncio.run(converse(service, [1, 2]))
    (tmp_path / "released").touch()
    service.wait_ready()
    assert asyncio.run(converse(service, [1, 2], [3, 4])) == [3, 7]


def test_a_mounted_part_reaches_what_the_outer_one_opened(run: Run, tmp_path: Path) -> None:
    """Its routes get the same resources, and the same typed refusal while the model loads."""
    service = run(LOAD_SECONDS=0, HELD=1)
    service.wait_for("/livez", 200)
    assert service.get("/admin/ticks").status == 503
    (tmp_path / "released").touch()
    assert service.wait_ready().get("/admin/ticks").status == 200


def test_a_stream_lasts_as_long_as_its_route_says(run: Run) -> None:
    """Events go on for 2 s although REQUEST_TIMEOUT is 1 s, and come to their own end."""
    service = run(REQUEST_TIMEOUT=1).wait_ready()
    assert stream(service, "/events?count=20").read().count(b"data: ") == 20


def test_a_background_task_is_not_cut_by_its_requests_limit(run: Run, tmp_path: Path) -> None:
    """A task of 2 s, behind an answer with a limit of 1 s, ends its work."""
    service = run(REQUEST_TIMEOUT=1).wait_ready()
    assert service.post("/reports/report?seconds=2", None).status == 200
    until((tmp_path / "report").exists, 10, "the report")


def test_an_absent_redis_and_a_present_upstream(run: Run) -> None:
    """Redis is down: the service is ready, and the route gets None. The upstream answers."""
    service = run().wait_ready()
    assert service.get("/predict?value=2").json() == {"prediction": 2, "cached": False}
    assert service.get("/upstream").json() == "hello"
    assert "[-]redis failed: degraded" in service.get("/readyz?verbose").body.decode()


def test_errors_keep_the_shape_that_fastapi_gives_them(run: Run) -> None:
    """With FastAPI's own format a detail that is an object stays one, and bad input is FastAPI's 422."""
    service = run().wait_ready()
    refused = service.get("/predict?value=-1")
    assert (refused.status, refused.json()) == (422, {"detail": {"field": "value", "least": 0}})
    invalid = service.get("/predict?value=many")
    assert (invalid.status, invalid.json()["detail"][0]["loc"]) == (422, ["query", "value"])


def test_the_document_keeps_what_the_application_says_of_itself(run: Run) -> None:
    """Title, version, tags and servers of `FastAPI(…)` stand in the OpenAPI document."""
    document = run().wait_ready().get("/openapi.json").json()
    assert (document["info"]["title"], document["info"]["version"]) == ("Everyday", "1.2.3")
    assert document["tags"] == [{"name": "model", "description": "What it says."}]
    assert document["servers"] == [{"url": "https://example.org/everyday"}]


def test_streams_and_sockets_are_counted(run: Run) -> None:
    """`/metrics` has each stream and each WebSocket under its route."""
    service = run().wait_ready()
    stream(service, "/events?count=1").read()
    asyncio.run(converse(service, [1]))
    until(
        lambda: 'http_route="/events"' in (found := service.get("/metrics").body.decode()) and found, 10, "the stream"
    )
    until(lambda: 'http_route="/predictions"' in service.get("/metrics").body.decode(), 10, "the socket")
