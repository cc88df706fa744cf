"""HTTP/1.1 over blocking sockets, plain or TLS, with the time of each step. Under gevent these calls only yield."""

import io
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit

from loadtest.openloop.peer import Peers
from loadtest.request import Request
from stack.http import NOTHING, Answer

# Shorter than the services' keep-alive of 75 s, so that the two don't race.
IDLE_SECONDS = 30.0
PORTS = {"http": 80, "https": 443}


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
    """One connection; `process` is the pid at its other end, once an answer came and it can be known.

    Args:
        family: of the address.
        address: of the service.
        deadline: monotonic seconds.
        tls: makes TLS of it, for the name beside it.
    """

    def __init__(self, family: int, address: Any, deadline: float, tls: tuple[ssl.SSLContext, str] | None) -> None:
        self.socket = socket.socket(family)
        try:
            self.socket.settimeout(_left(deadline))
            self.socket.connect(address)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                self.socket.settimeout(_left(deadline))
                self.socket = tls[0].wrap_socket(self.socket, server_hostname=tls[1])
        except BaseException:
            self.socket.close()
            raise
        self.process: int | None = None
        self.idle_since = 0.0

    def is_stale(self) -> bool:
        """Whether the other end has closed the connection, or soon will."""
        if time.monotonic() - self.idle_since > IDLE_SECONDS:
            return True
        self.socket.settimeout(0)
        try:
            self.socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
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
        parts, host, port = understood(url)
        self._tls = (ssl.create_default_context(), host) if parts.scheme == "https" else None
        # Looked up once: under gevent a look-up costs more than the request.
        self._places = [(each[0], each[4]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        self._authority, self._prefix = parts.netloc, parts.path.rstrip("/")
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
                connection = self._connect(deadline)
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

    def _connect(self, deadline: float) -> Connection:
        """To the first address of the name that accepts, which is tried first from then on."""
        for place in self._places:
            try:
                connection = Connection(*place, deadline, self._tls)
            except OSError as error:
                failure = error
            else:
                self._places = sorted(self._places, key=place.__ne__)
                return connection
        raise failure

    def _exchange(self, connection: Connection, request: Request, deadline: float, result: Exchange) -> bool:
        """Exchange once; returns whether the connection may be used again."""
        wire = connection.socket
        wire.settimeout(_left(deadline))
        wire.sendall(request.wire(self._authority, self._prefix, self._headers))
        with HTTPResponse(_Incoming(wire, deadline, result), method=request.method) as response:  # type: ignore[arg-type]
            response.begin()
            body = response.read()
            result.done = time.monotonic()
            headers = {name.lower(): value for name, value in response.getheaders()}
            closes = response.will_close
        result.answer = Answer(response.status, headers, body)
        connection.process = result.process = connection.process or self._peers.find(wire)
        return self._pooled and not closes


class _Incoming(io.RawIOBase):
    """What comes over a connection until the deadline: a socket's own timeout begins anew with each piece."""

    def __init__(self, wire: socket.socket, deadline: float, result: Exchange) -> None:
        self._wire, self._deadline, self._result = wire, deadline, result

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As `HTTPResponse` asks a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next piece; 0 is the end."""
        self._wire.settimeout(_left(self._deadline))
        count = self._wire.recv_into(buffer)
        if count and self._result.first_byte is None:
            self._result.first_byte = time.monotonic()
        return count


def understood(url: str) -> tuple[SplitResult, str, int]:
    """The parts of a URL, its host and its port. Raises ValueError, without what may be a password."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("only http://host[:port] and https://host[:port], without a user, are understood as a URL")
    return parts, parts.hostname, parts.port or PORTS[parts.scheme]


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
