"""Stand-ins for pods: a small server each, whose probes and routes answer as a service's in that phase."""

import json
from array import array
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

Phase = Callable[[], str]
VECTOR = array("f", [1.0] + [0.0] * 383).tobytes()
NOT_READY = {"error": {"message": "warming", "type": "unavailable", "param": None, "code": "not_ready"}}


class PodServer:
    """Listens at one address while it is entered.

    Args:
        host: of the pod; each has one of its own in 127.0.0.0/8.
        port: of its container.
        phase: what it is in, asked at each request.
        gated: whether it refuses requests until it is ready.
    """

    def __init__(self, host: str, port: int, phase: Phase, *, gated: bool = True) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                report = json.dumps({"elapsed_seconds": 1.0, "processes": [{"pid": 7, "phase": phase()}]}).encode()
                good = self.path == "/livez" or phase() == "ready"
                self.answer(200 if good else 503, report)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                served = phase() == "ready" or not gated
                self.answer(*((200, VECTOR) if served else (503, json.dumps(NOT_READY).encode())))

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
