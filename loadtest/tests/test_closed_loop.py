"""The closed loop, against small servers."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import count, pairwise
from urllib.parse import urlsplit

from loadtest.closed_loop import ClosedLoop, Sent
from loadtest.request import Request
from stack import free_ports, until
from stack.ports import HOST
from stack.tests.server import reply, serving

WIRE = Request("/", method="GET", headers={}).wire()


def ok(handler: BaseHTTPRequestHandler) -> None:
    """Answer, and keep the connection."""
    reply(handler, 200)


def last(handler: BaseHTTPRequestHandler) -> None:
    """Answer, and say that the connection ends."""
    handler.close_connection = True
    reply(handler, 200, Connection="close")


@contextmanager
def speechless() -> Iterator[int]:
    """The port of a server that answers once on each connection, and closes it without a word."""
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(1000)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def loop(port: int, clients: int = 1, age: float = 60.0) -> tuple[ClosedLoop[int], list[Sent[int]]]:
    """One whose requests have numbers, and what is noted of them."""
    sent: list[Sent[int]] = []
    return ClosedLoop(port, ((number, WIRE) for number in count()), sent.append, clients, age=age, timeout=10), sent


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def test_each_client_has_one_request_at_a_time_on_one_connection() -> None:
    """As many connections as clients, and the next request of a client after its last."""
    with serving(ok) as url:
        clients, sent = loop(port_of(url), clients=3)
        with clients:
            until(lambda: len(sent) > 30, 10, "requests")
    assert clients.opened == 3
    assert {each.outcome for each in sent} == {200}
    assert sorted(each.what for each in sent) == list(range(len(sent)))
    for client in range(3):
        own = sorted((each for each in sent if each.client == client), key=lambda each: each.at)
        assert all(one.at + one.seconds <= other.at for one, other in pairwise(own))


def test_a_connection_is_not_used_beyond_its_age() -> None:
    """With an age of 0, each request has a connection of its own."""
    with serving(ok) as url:
        clients, sent = loop(port_of(url), age=0)
        with clients:
            until(lambda: len(sent) > 5, 10, "requests")
    assert clients.opened == len(sent)


def test_an_end_that_was_said_is_no_error() -> None:
    """After `Connection: close`, the next request has a new connection."""
    with serving(last) as url:
        clients, sent = loop(port_of(url))
        with clients:
            until(lambda: len(sent) > 5, 10, "requests")
    assert {each.outcome for each in sent} == {200}
    assert clients.opened == len(sent)


def test_an_end_without_a_word_is_an_error() -> None:
    """The request after it is lost, as it is for every client that keeps connections."""
    with speechless() as port:
        clients, sent = loop(port)
        with clients:
            until(lambda: len(sent) > 5, 10, "requests")
    assert [each.outcome for each in sent][:4] == [200, "ConnectionResetError"] * 2


def test_a_server_that_is_gone_is_an_error() -> None:
    """Each request is noted, none raises."""
    clients, sent = loop(free_ports()["api"])
    with clients:
        until(lambda: len(sent) > 2, 10, "requests")
    assert {each.outcome for each in sent} == {"ConnectionRefusedError"}


def test_clients_that_leave_open_no_other_connection() -> None:
    """They go on until the one they have ends, and then they are gone."""
    gone = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (last if gone.is_set() else ok)(handler)

    with serving(answer) as url:
        clients, sent = loop(port_of(url), clients=2)
        with clients:
            until(lambda: {each.client for each in sent} == {0, 1}, 10, "requests of both")
            clients.leave()
            known = len(sent)
            until(lambda: len(sent) > known + 5, 10, "further requests")
            gone.set()
            until(lambda: not clients._thread.is_alive(), 10, "the end of all clients")
    assert clients.opened == 2
