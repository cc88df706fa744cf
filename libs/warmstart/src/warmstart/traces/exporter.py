"""Sends the spans of this process to an OTLP endpoint, from a thread of its own."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from warmstart.lifecycle.resources import Resource
from warmstart.settings.headers import headers
from warmstart.settings.service import ServiceSettings
from warmstart.traces import now

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger("warmstart.traces")

PATH = "/v1/traces"
SENDING = 2.0  # seconds: of one attempt, and of what is left when the process stops


class Traces:
    """A plug-in of the lifecycle. It opens in the process that serves: a fork would have no sending thread."""

    def __init__(self, endpoint: str, settings: ServiceSettings) -> None:
        self._endpoint = endpoint
        self._settings = settings

    def over(self, resources: Sequence[Resource[Any]]) -> tuple[Resource[Any], ...]:
        """Return the resources, and one that sends spans; nothing waits for it."""
        return Resource("traces", self._open, required=False), *resources

    def unready(self) -> None:
        """The pod can serve without."""

    @asynccontextmanager
    async def _open(self, app: Any) -> AsyncIterator[None]:
        secret = self._settings.otel_exporter_otlp_headers
        sent = headers(secret) if secret else {}
        provider = await asyncio.to_thread(_provider, self._endpoint, sent, getattr(app, "title", ""))
        from warmstart.traces.spans import Spans  # noqa: PLC0415 - only where traces are on

        now.use(Spans(provider.get_tracer("warmstart")))
        try:
            yield
        finally:
            now.use(None)
            await _sent(provider)


def _provider(endpoint: str, headers: Mapping[str, str], name: str) -> "TracerProvider":
    """Imports take 0.2 s, so this runs in a thread. The SDK itself reads OpenTelemetry's other variables, `OTEL_*`."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    from warmstart.traces.told import ToldExporter  # noqa: PLC0415

    # They write some lines each second while nobody takes the spans, and quote headers that they can't read.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    given = OTELResourceDetector().detect()
    resource = Resource.create({"service.name": name.lower().replace(" ", "-"), **given.attributes})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + PATH, headers=headers, timeout=SENDING)
    provider.add_span_processor(BatchSpanProcessor(ToldExporter(exporter, log)))
    return provider


async def _sent(provider: "TracerProvider") -> None:
    """Send what is left, within SENDING: not even the end of the process waits longer."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=shut_down, name="traces", daemon=True).start()
    try:
        async with asyncio.timeout(SENDING):
            await done.wait()
    except TimeoutError:
        log.warning("the last spans were not sent in %g s", SENDING)


def traces(settings: ServiceSettings) -> list[Traces]:
    """The plug-in for `Lifecycle(…, plugins=…)`: none unless OTEL_EXPORTER_OTLP_ENDPOINT is set."""
    endpoint = settings.otel_exporter_otlp_endpoint
    return [Traces(endpoint, settings)] if endpoint else []
