"""Stand-ins for pods: a small server each, whose probes and routes answer as a service's in that phase."""

import json
from array import array
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler

from stack.tests.server import reply, serving

Phase = Callable[[], str]
VECTOR = array("f", [1.0] + [0.0] * 383).tobytes()
NOT_READY = {"error": {"message": "warming", "type": "unavailable", "param": None, "code": "not_ready"}}


def pod_server(host: str, port: int, phase: Phase, *, gated: bool = True) -> AbstractContextManager[str]:
    """Listens at one address while it is entered.

    Args:
        host: of the pod; each has one of its own in 127.0.0.0/8.
        port: of its container.
        phase: what it is in, asked at each request.
        gated: whether it refuses requests until it is ready.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        report = json.dumps({"elapsed_seconds": 1.0, "processes": [{"pid": 7, "phase": phase()}]}).encode()
        served = phase() == "ready" or not gated
        if handler.command == "GET":
            status, body = 200 if handler.path == "/livez" or phase() == "ready" else 503, report
        else:
            status, body = (200, VECTOR) if served else (503, json.dumps(NOT_READY).encode())
        handler.close_connection = True  # with the pod, its connections are gone
        reply(handler, status, body, Connection="close")

    return serving(answer, host, port)
