"""Offers of another protocol: they are ignored, and the body is read to its end, so that no body becomes a request."""

import asyncio

import pytest
from fastapi import FastAPI, Request, WebSocket

from tests.harness.wire import bodies, converse, statuses

app = FastAPI()
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSED = b"\x88\x80\0\0\0\0"  # a WebSocket's close frame
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
DECLARED = b"Content-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)


@app.get("/{path}")
@app.post("/{path}")
async def echo(path: str, request: Request) -> list[str]:
    """Which request this is, and its body."""
    return [path, (await request.body()).decode()]


@app.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """Greets."""
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


def post(headers: bytes, body: bytes = DECLARED) -> bytes:
    """A POST whose body is a request."""
    return b"POST /first HTTP/1.1\r\nHost: x\r\n" + headers + body


def websocket(value: bytes, more: bytes = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") -> bytes:
    """The headers of a WebSocket handshake."""
    return b"Connection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Version: 13\r\n%s" % (value, more)


OFFERS = {
    "h2c": H2C,
    "TLS": b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    "several": b"Upgrade: HTTP/2.0, SHTTP/1.3\r\nUpgrade: IRC/6.9\r\nConnection: keep-alive\r\nConnection: upgrade\r\n",
    "any case": b"cOnNeCtIoN: uPGRADE\r\nuPGRADE: H2C\r\n",
    "without Connection": b"Upgrade: h2c\r\n",
    "without Upgrade": b"Connection: Upgrade\r\n",
    "websocket in a POST": websocket(b"websocket"),
    "invented": b"Connection: Upgrade\r\nUpgrade: \x80nothing/9\r\n",
}


@pytest.mark.parametrize("body", [DECLARED, CHUNKED], ids=["declared", "chunked"])
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
def test_an_offer_is_ignored(offer: bytes, body: bytes) -> None:
    """A request with any `Upgrade` gets one answer, with its whole body; a request in that body gets none."""
    sent = asyncio.run(converse(app, [post(offer, body) + LAST]))
    assert bodies(sent) == [["first", SMUGGLED.decode()], ["last", ""]]


@pytest.mark.parametrize("body", [DECLARED, CHUNKED], ids=["declared", "chunked"])
def test_packets_may_be_split_anywhere(body: bytes) -> None:
    """Wherever two packets meet, and byte by byte, the answers are the same."""
    request = post(H2C, body) + LAST

    async def every_split() -> None:
        splits = [[request[:at], request[at:]] for at in range(1, len(request))]
        for pieces in [*splits, [request[at : at + 1] for at in range(len(request))]]:
            assert bodies(await converse(app, pieces)) == [["first", SMUGGLED.decode()], ["last", ""]], pieces

    asyncio.run(every_split())


def test_pipelined_offers_are_answered_in_order() -> None:
    """A thousand requests with an offer in one packet get a thousand answers."""
    sent = asyncio.run(converse(app, [post(H2C) * 1000 + LAST]))
    assert bodies(sent) == [["first", SMUGGLED.decode()]] * 1000 + [["last", ""]]


def test_the_client_is_told_to_continue() -> None:
    """`Expect: 100-continue` beside an offer is honoured before the body is sent."""
    head, body = post(H2C + b"Expect: 100-continue\r\n").split(b"\r\n\r\n", 1)
    sent = asyncio.run(converse(app, [head + b"\r\n\r\n", body + LAST]))
    assert statuses(sent) == [100, 200, 200]


@pytest.mark.parametrize(
    ("handshake", "answers"),
    [
        (b"GET /ws HTTP/1.1\r\nHost: x\r\n" + websocket(b"websocket") + b"\r\n", [101]),
        (b"GET /first HTTP/1.1\r\nHost: x\r\n" + websocket(b"websocket") + b"\r\n", [200, 200]),
        (b"GET /first HTTP/1.1\r\nHost: x\r\n" + websocket(b"websocket", b"") + b"\r\n", [200, 200]),
    ],
    ids=["a route", "no route", "no key"],
)
def test_a_websocket_is_taken_where_a_route_takes_it(handshake: bytes, answers: list[int]) -> None:
    """A WebSocket handshake succeeds on a route for it, and is an offer like any other elsewhere."""
    pytest.importorskip("wsproto")
    sent = asyncio.run(converse(app, [handshake, CLOSED if answers == [101] else LAST]))
    assert statuses(sent) == answers


def sockets() -> FastAPI:
    """An application behind a proxy that leaves its prefix on, with WebSockets in all kinds of places."""
    made, hosted, mounted = FastAPI(), FastAPI(), FastAPI()
    made.root_path = "/api"
    made.add_api_websocket_route("/ws", socket)
    made.add_api_websocket_route("/caf\u00e9", socket)
    hosted.add_api_websocket_route("/hosted", socket)
    mounted.add_api_websocket_route("/ws", socket)
    made.mount("/part", mounted)
    made.host("live.example.org", hosted)
    return made


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        (b"/ws", b"x", 101),
        (b"/api/ws", b"x", 101),
        (b"/api/part/ws", b"x", 101),
        (b"/caf%C3%A9", b"x", 101),
        (b"/hosted", b"live.example.org:80", 101),
        (b"/hosted", b"x", 404),
        (b"/api", b"x", 404),
    ],
)
def test_a_websocket_is_found_as_the_application_finds_it(path: bytes, host: bytes, status: int) -> None:
    """By its host, behind the application's own prefix, with its path decoded."""
    pytest.importorskip("wsproto")
    handshake = b"GET %s HTTP/1.1\r\nHost: %s\r\n" % (path, host) + websocket(b"websocket") + b"\r\n"
    end = CLOSED if status == 101 else LAST
    assert statuses(asyncio.run(converse(sockets(), [handshake, end])))[0] == status


@pytest.mark.parametrize("target", [b"x:80", b"/first"])
def test_connect_is_refused(target: bytes) -> None:
    """CONNECT, whose body would be a tunnel, is refused, and the connection ends."""
    sent = asyncio.run(converse(app, [b"CONNECT %s HTTP/1.1\r\nHost: x\r\n" % target + DECLARED]))
    assert statuses(sent) == [400]
