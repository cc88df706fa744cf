"""The spans of this process while traces are on. While they are off, each call here does nothing, in 0.1 µs."""

from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

    from warmstart.traces.spans import Spans

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
Kind: TypeAlias = Literal["server", "client", "internal"]

NOTHING: AbstractContextManager[None] = nullcontext()
NONE: Attributes = {}

_spans: "Spans | None" = None


def use(spans: "Spans | None") -> None:
    """Make spans with `spans` from now on, or none any more."""
    global _spans  # noqa: PLW0603 - a process sends to one place, as with OpenTelemetry's own provider
    _spans = spans


def on() -> bool:
    """Whether spans are made."""
    return _spans is not None


def span(
    name: str,
    attributes: Attributes = NONE,
    kind: Kind = "internal",
    received: Mapping[str, str] | None = None,
) -> "AbstractContextManager[Span | None]":
    """Time the block as a span below the one around it, or below the one that `received` headers name.

    Only a server's span begins a trace: what runs in the background, such as health samples, has none.
    """
    if _spans is None or (kind != "server" and _spans.current() is None):
        return NOTHING
    return _spans.span(name, attributes, kind, received)


def note(
    name: str,
    above: "SpanContext",
    seconds: float,
    *,
    ago: float = 0,
    attributes: Attributes = NONE,
    links: "Sequence[SpanContext]" = (),
) -> "SpanContext | None":
    """Make a span, below `above`, of what took so many `seconds` and ended some seconds `ago`."""
    return _spans.note(name, above, seconds, ago=ago, attributes=attributes, links=links) if _spans else None


def current() -> "SpanContext | None":
    """The span around this code, to be `above` another one or linked to it; None if it isn't recorded."""
    return _spans.current() if _spans else None


def ids() -> dict[str, str]:
    """The fields of a log line: `trace_id` and `span_id`; none if no span is recorded."""
    found = current()
    return {"trace_id": f"{found.trace_id:032x}", "span_id": f"{found.span_id:016x}"} if found else {}


def send(headers: MutableMapping[str, str]) -> None:
    """Add the headers by which the receiver's span comes below the current one."""
    if _spans:
        _spans.send(headers)
