"""Clients that send too little, or too much."""

import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from select import select

from drills.drill import Drill
from drills.result import Violation
from drills.scenarios.test_connections import quick

GIVEN = 7.0  # seconds until clients must be gone: they are cut after 3, with half a body after 4 (REQUEST_TIMEOUT)
OF_EACH = 30
HEAD = b"POST /v1/embeddings HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
FIRST = b"HEAD /livez HTTP/1.1\r\nHost: api\r\n\r\n"
# The bytes that are sent, after a first request or without one, and the beginning of the answer (none for silence).
BEGINNINGS = {
    b"": b"",
    b"POST /v1/emb": b"HTTP/1.1 408",
    HEAD[:60]: b"HTTP/1.1 408",
    HEAD % 100 + b"{": b"HTTP/1.1 504",
}
ANSWER_SECONDS = 20.0
OTHERS = ("api_repeated", "search")  # the requests of everybody else
AT_ONCE = 0.001  # seconds to look for what has come
LARGE, HUGE = 4 * 2**20, 20 * 2**20  # bytes: within MAX_BODY_BYTES, and beyond


def test_slow_clients(drill: Drill) -> None:
    drill.load(*OTHERS)
    drill.go(0.2)
    with ExitStack() as held, drill.fault():
        clients = [_begin(drill, held, each) for each in BEGINNINGS for _ in range(OF_EACH)]
        clients += [_begin(drill, held, each, FIRST) for each in BEGINNINGS if each for _ in range(OF_EACH)]
        drill.prove("half a request waits", all(waits for _, beginning, waits in clients if beginning))
        drill.hold(GIVEN)
        found = [(_first_line(client, AT_ONCE), beginning) for client, beginning, _ in clients]
    kept = Counter(beginning for line, beginning in found if line is None or line[:12] != BEGINNINGS[beginning])
    drill.expect("they are sent away", not kept, f"of {OF_EACH} each, before a first request or after it: {dict(kept)}")
    drill.go(1)
    drill.finish()
    for stream in OTHERS:
        quick(drill, stream)


def test_large_bodies(drill: Drill) -> None:
    drill.load(*OTHERS)
    drill.go(0.2)
    with ExitStack() as held, drill.fault():
        large = [(held.enter_context(_connect(drill)), LARGE) for _ in range(12)]
        huge = [(held.enter_context(_connect(drill)), HUGE) for _ in range(2)]
        for client, size in (*large, *huge):
            _send(client, [HEAD % size, b"," * (size // 2)])
        for client, size in (*large, *huge):
            _send(client, [b"," * (size - size // 2)])
        clients = [client for client, _ in (*large, *huge)]
        with suppress(Violation):  # which of them, is judged below
            drill.until("each gets its answer", lambda: all(map(_is_over, clients)), ANSWER_SECONDS)
        answers = [_head(client, AT_ONCE) for client in clients]
    statuses = Counter((head or b"")[9:12].decode() or "none" for head in answers)
    refused = [head for head in answers if head and head[9:12] == b"503"]
    silent = sum(b"\r\nretry-after:" not in head.lower() for head in refused)
    drill.prove("some find no room", refused)
    drill.expect("each gets its answer", set(statuses) <= {"400", "413", "503"}, dict(statuses))
    drill.expect("some are read", statuses["400"], dict(statuses))  # and found to be no JSON
    drill.expect("refusals say when to come back", not silent, f"{silent} of {len(refused)} without Retry-After")
    drill.expect("what is beyond the limit is refused", statuses["413"] == len(huge), dict(statuses))
    drill.measure(**{f"answered_{status}": count for status, count in statuses.items()})
    drill.go(1)
    drill.finish()


def _begin(drill: Drill, held: ExitStack, beginning: bytes, first: bytes = b"") -> tuple[socket.socket, bytes, bool]:
    """A client that sends the beginning of a request, after a whole request or as its first, and whether it waits."""
    client = held.enter_context(_connect(drill))
    if first:
        client.sendall(first)
        drill.require("the first request is answered", _first_line(client, GIVEN), "it is not")
    client.sendall(beginning)
    return client, beginning, _first_line(client, AT_ONCE) is None


def _connect(drill: Drill) -> socket.socket:
    return socket.create_connection(drill.address("api"), timeout=10)


def _send(client: socket.socket, pieces: Sequence[bytes]) -> None:
    """Send everything, as urllib and many other clients do: a client that can't send doesn't look for an answer."""
    try:
        for piece in pieces:
            client.sendall(piece)
    except OSError:
        client.close()


def _is_over(client: socket.socket) -> bool:
    """Whether it has an answer, or its connection has ended."""
    return client.fileno() < 0 or bool(select([client], [], [], 0)[0])


def _first_line(client: socket.socket, seconds: float) -> bytes | None:
    """That of `_head`."""
    head = _head(client, seconds)
    return head and head.partition(b"\r\n")[0]


def _head(client: socket.socket, seconds: float) -> bytes | None:
    """The answer's beginning, as it came; empty when the connection was closed, None when nothing has happened."""
    try:
        client.settimeout(seconds)
        return client.recv(2000)  # the services send all headers at once
    except TimeoutError:
        return None
    except OSError:
        return b""
