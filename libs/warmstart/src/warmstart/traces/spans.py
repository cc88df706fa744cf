"""Makes spans of one process with OpenTelemetry. `warmstart.traces.now` is how code reaches it."""

import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from warmstart.traces.now import Attributes, Kind

KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}


class Spans:
    """The interface of `tracer` for this project: an error is named by its type, since its message may quote a text."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._headers = TraceContextTextMapPropagator()  # no baggage: a client's would be sent to the worker

    @contextmanager
    def span(self, name: str, attributes: Attributes, kind: Kind, received: Mapping[str, str] | None) -> Iterator[Span]:
        """Time the block, below the span around it, or below the one that `received` headers name."""
        above = self._headers.extract(received) if received is not None else None
        made = self._tracer.start_span(name, above, kind=KINDS[kind], attributes=attributes)
        token = context.attach(trace.set_span_in_context(made))
        try:
            yield made
        except BaseException as error:
            if made.is_recording():
                made.set_attribute("error.type", type(error).__qualname__)
                made.set_status(StatusCode.ERROR)
            raise
        finally:
            context.detach(token)
            if made.is_recording():  # the block may have ended it
                made.end()

    def note(
        self,
        name: str,
        above: SpanContext,
        seconds: float,
        *,
        ago: float,
        attributes: Attributes,
        links: Sequence[SpanContext],
    ) -> SpanContext:
        """Make a span, below `above`, of what took so many `seconds` and ended some seconds `ago`."""
        ended = time.time_ns() - int(ago * 1e9)
        made = self._tracer.start_span(
            name,
            trace.set_span_in_context(trace.NonRecordingSpan(above)),
            attributes=attributes,
            links=[Link(each) for each in links],
            start_time=ended - int(seconds * 1e9),
        )
        made.end(ended)
        return made.get_span_context()

    def current(self) -> SpanContext | None:
        """The span around this code; None without one, and for one that isn't sampled."""
        found = trace.get_current_span().get_span_context()
        return found if found.is_valid and found.trace_flags.sampled else None

    def send(self, headers: MutableMapping[str, str]) -> None:
        """Add W3C Trace Context (https://www.w3.org/TR/trace-context/), for the receiver's spans."""
        self._headers.inject(headers)
