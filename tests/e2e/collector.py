"""An OTLP endpoint that keeps the spans it is sent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from stack import free_ports


class Collector:
    """Spans by trace id (32 hexadecimal digits), each with the name of its service."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.received: list[bytes] = []
        self.stop: Callable[[], None]  # from then on nobody listens

    def spans(self, trace_id: str) -> list[tuple[str, Span]]:
        """Of one trace, in the order of their start."""
        found = [
            (_service(resource), span)
            for body in list(self.received)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.trace_id.hex() == trace_id
        ]
        return sorted(found, key=lambda each: each[1].start_time_unix_nano)


def _service(spans: ResourceSpans) -> str:
    return next(str(each.value.string_value) for each in spans.resource.attributes if each.key == "service.name")


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""
    port = free_ports()["api"]
    collector = Collector(port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with ExitStack() as running:
        running.callback(server.server_close)
        running.callback(server.shutdown)
        collector.stop = running.close
        yield collector
