"""HTTP/1.1 over blocking sockets, with the time of each step. Under gevent these calls yield instead of blocking."""

import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from loadtest.openloop.peer import Peers
from loadtest.request import Request
from stack.http import NOTHING, Answer

# Shorter than the services' keep-alive of 75 s, so that the two don't race.
IDLE_SECONDS = 30.0


@dataclass
class Exchange:
    """The course of one request. It is filled in step by step, so that a failure keeps what was seen before."""

    first_byte: float | None = None
    done: float = 0.0
    answer: Answer | None = None
    error: str | None = None
    reused: bool = False
    process: int | None = None


class Connection:
    """One TCP connection; `process` is the pid at its other end, once an answer came and it can be known."""

    def __init__(self, family: int, address: Any, timeout: float) -> None:
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.process: int | None = None
        self.idle_since = 0.0

    def is_stale(self) -> bool:
        """Whether the other end has closed the connection, or soon will."""
        if time.monotonic() - self.idle_since > IDLE_SECONDS:
            return True
        self.socket.settimeout(0)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True  # closed, or an answer without a request


class Client:
    """Sends the requests of one stream. It never retries: the row shows what really happened.

    A pooled client opens as many connections as there are requests in flight, and takes the one used last first. It
    drops those that the other end has closed, or said it would close.
    """

    def __init__(self, url: str, *, pooled: bool, peers: Peers, headers: Mapping[str, str] = NOTHING) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url}: only http://host[:port] is understood")
        # Looked up once: under gevent a look-up costs more than the request.
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)[0]
        self._family, self._address = found[0], found[4]
        self._authority, self._prefix = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._pooled, self._peers, self._headers = pooled, peers, headers
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    def send(self, request: Request, deadline: float) -> Exchange:
        """Send one request, and give it up at `deadline` (monotonic seconds). Raises nothing: see `Exchange.error`."""
        result = Exchange()
        connection: Connection | None = None
        try:
            connection = self._take()
            result.reused = connection is not None
            if connection is None:
                connection = Connection(self._family, self._address, _left(deadline))
            keep = self._exchange(connection, request, deadline, result)
        except (OSError, HTTPException) as error:
            result.error = _name(error)
            result.done = time.monotonic()
            keep = False
        if connection and keep:
            connection.idle_since = time.monotonic()
            with self._lock:
                self._idle.append(connection)
        elif connection:
            connection.socket.close()
        return result

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().socket.close()

    def _take(self) -> Connection | None:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_stale():
                    return connection
                connection.socket.close()
        return None

    def _exchange(self, connection: Connection, request: Request, deadline: float, result: Exchange) -> bool:
        """Exchange once; returns whether the connection may be used again."""
        wire = connection.socket
        wire.settimeout(_left(deadline))
        wire.sendall(request.wire(self._authority, self._prefix, self._headers))
        if wire.recv(1, socket.MSG_PEEK):  # nothing: the other end has closed it, as `begin` will say
            result.first_byte = time.monotonic()
        wire.settimeout(_left(deadline))
        with HTTPResponse(wire, method=request.method) as response:
            response.begin()
            body = response.read()
            result.done = time.monotonic()
            headers = {name.lower(): value for name, value in response.getheaders()}
            closes = response.will_close
        result.answer = Answer(response.status, headers, body)
        connection.process = result.process = connection.process or self._peers.find(wire)
        return self._pooled and not closes


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _name(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    # RemoteDisconnected, a subclass of ConnectionResetError, is a close without an answer.
    if isinstance(error, HTTPException):
        return "closed"
    return "reset" if isinstance(error, (ConnectionResetError, BrokenPipeError)) else type(error).__name__
