"""One log line when spans can't be sent, and one when they can again."""

import logging
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class ToldExporter(SpanExporter):
    """Sends through `exporter`."""

    def __init__(self, exporter: SpanExporter, log: logging.Logger) -> None:
        self._exporter = exporter
        self._log = log
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, or lose them."""
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            self._log.warning("OTEL_EXPORTER_OTLP_ENDPOINT takes no spans: they are lost until it does")
        if self._fails and not fails:
            self._log.warning("OTEL_EXPORTER_OTLP_ENDPOINT takes spans again")
        self._fails = fails
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._exporter.shutdown()
