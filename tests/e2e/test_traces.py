"""One trace leads from the client through both services, and says nothing of the texts."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Exemplar

from stack import EmbeddedStack, Part, free_ports, until
from stack.http import Answer, ask
from tests.e2e.collector import Collector, collecting

SETTINGS = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "LOG_FORMAT": "json", "OTEL_BSP_SCHEDULE_DELAY": "50"}
CLIENT = "00f067aa0ba902b7"  # the client's own span
PARTS: tuple[Part, ...] = ("api", "worker")
LOST = "takes no spans"
DURATIONS = "http_server_request_duration_seconds"
TEXT = "words that nobody else may read"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where both services send their spans."""
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A system whose traces are on."""
    settings = {**SETTINGS, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    with EmbeddedStack(tmp_path_factory.mktemp("traced"), free_ports(), environment=settings) as stack:
        yield stack


def call(stack: EmbeddedStack, path: str, payload: object, trace: int) -> Answer:
    """Send it as part of a trace."""
    return ask(
        f"{stack.url('api')}{path}", "POST", payload, timeout=15, more={"traceparent": f"00-{trace:032x}-{CLIENT}-01"}
    )


def spans_of(collector: Collector, trace: int, *names: str) -> dict[str, Span]:
    """The spans of a trace by service and name, once those of these names have arrived."""

    def found() -> dict[str, Span]:
        return {f"{service} {span.name}": span for service, span in collector.spans(f"{trace:032x}")}

    until(lambda: set(names) <= set(found()), 30, f"{names} in {set(found())}")
    return found()


API, WORKER = "warmstart-api", "warmstart-worker"
SEARCH = (
    f"{API} POST /v1/search",
    f"{API} MGET",
    f"{API} POST /embeddings/",
    f"{API} postgresql",
    f"{WORKER} POST /embeddings/",
    f"{WORKER} tokenize",
    f"{WORKER} queue",
    f"{WORKER} inference",
)


def test_a_search_is_one_trace(traced: EmbeddedStack, collector: Collector) -> None:
    """A search that the cache can't answer has a span for each thing that it waits for, below its client's own."""
    assert call(traced, "/v1/search", {"query": TEXT}, 1).status == 200
    spans = spans_of(collector, 1, *SEARCH)

    parents = {name: spans[name].parent_span_id.hex() for name in SEARCH}
    search, called, served = (spans[name].span_id.hex() for name in (SEARCH[0], SEARCH[2], SEARCH[4]))
    assert parents == dict(zip(SEARCH, (CLIENT, search, search, search, called, served, served, served), strict=True))
    assert all(spans[name].start_time_unix_nano <= spans[name].end_time_unix_nano for name in SEARCH)
    queue, inference = spans[SEARCH[6]], spans[SEARCH[7]]
    assert queue.end_time_unix_nano <= inference.start_time_unix_nano + 1_000_000


def test_a_batch_is_linked_to_its_requests(traced: EmbeddedStack, collector: Collector) -> None:
    """The inference of texts that one pass computed together is linked, from each of their requests to the first's."""
    traces = range(100, 164)
    with ThreadPoolExecutor(len(traces)) as pool:
        bodies = [{"model": "all-MiniLM-L6-v2", "input": f"text {trace}"} for trace in traces]
        answers = pool.map(
            lambda each: call(traced, "/v1/embeddings", each[1], each[0]), zip(traces, bodies, strict=True)
        )
        assert [answer.status for answer in answers] == [200] * len(traces)

    name = f"{WORKER} inference"
    passes = [spans_of(collector, trace, name)[name] for trace in traces]
    by_id = {span.span_id: span for span in passes}
    sizes = {span.span_id: _attributes(span)["batch.requests"] for span in passes}
    followers = [span for span in passes if len(span.links) == 1 and span.links[0].span_id in by_id]
    assert followers, "no two texts were computed together"
    for span in followers:
        first = by_id[span.links[0].span_id]
        assert len(first.links) == sizes[first.span_id] - 1 == sizes[span.span_id] - 1
        assert span.trace_id in {link.trace_id for link in first.links}


def test_log_lines_name_the_trace(traced: EmbeddedStack) -> None:
    """The access line of a traced request, in both services, holds the trace's id; other lines hold none."""
    assert call(traced, "/v1/search", {"query": f"{TEXT} again"}, 2).status == 200
    for part, path in (("api", "/v1/search"), ("worker", "/embeddings/")):
        lines = _lines(traced, part)
        until(lambda: any(_is(line, path, 2) for line in _lines(traced, part)), 10, f"{part}'s line")  # noqa: B023
        assert not [line for line in lines if "trace_id" in line and "request_id" not in line]


def test_metrics_lead_to_traces(traced: EmbeddedStack) -> None:
    """Who scrapes in OpenMetrics gets, in the bucket of each request's duration, the id of its trace."""
    assert call(traced, "/v1/search", {"query": f"{TEXT} for the metrics"}, 5).status == 200
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}

    families: Callable[[str], Iterable[Metric]] = text_string_to_metric_families

    def noted() -> list[Exemplar]:
        text = ask(f"{traced.url('api')}/metrics", more=accept).body.decode()
        [durations] = [each for each in families(text) if each.name == DURATIONS]
        return [sample.exemplar for sample in durations.samples if sample.exemplar]

    until(lambda: any(each.labels == {"trace_id": f"{5:032x}"} for each in noted()), 10, "the exemplar")


def test_texts_are_in_no_span(traced: EmbeddedStack, collector: Collector) -> None:
    """Neither a text nor a document's id is sent to where traces go, and health samples begin no trace."""
    assert call(traced, "/v1/documents", {"documents": [{"id": "patient", "text": TEXT}]}, 3).status == 200
    more = {"traceparent": f"00-{6:032x}-{CLIENT}-01"}
    assert ask(f"{traced.url('api')}/v1/documents/patient?token=hidden", timeout=15, more=more).status == 200
    spans_of(collector, 3, f"{API} POST /v1/documents")
    spans_of(collector, 6, f"{API} GET /v1/documents/{{id}}")
    sent = b"".join(collector.received)
    for secret in (TEXT, "patient", "hidden", "/model", "readyz"):
        assert secret.encode() not in sent


def test_a_lost_collector_harms_nobody(traced: EmbeddedStack, collector: Collector) -> None:
    """While nobody takes the spans, the services serve as ever, and they stop with status 0."""
    collector.stop()
    for attempt in range(3):
        assert call(traced, "/v1/search", {"query": f"{TEXT} once more, {attempt}"}, 4).status == 200
        until(lambda: all(LOST in traced.logs(part) for part in PARTS), 10, "a line in each log")
    for part in PARTS:
        assert [traced.logs(part).count(LOST), traced.logs(part).count("opentelemetry")] == [1, 0]
    assert traced.stop("api") == 0
    assert traced.stop("worker") == 0


def _attributes(span: Span) -> dict[str, int]:
    return {each.key: each.value.int_value for each in span.attributes}


def _lines(stack: EmbeddedStack, part: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stack.logs(part).splitlines() if line.startswith("{")]  # type: ignore[arg-type]


def _is(line: dict[str, object], path: str, trace: int) -> bool:
    return line.get("path") == path and line.get("trace_id") == f"{trace:032x}"
