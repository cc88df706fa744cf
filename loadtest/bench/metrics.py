"""Reads the metrics of one of our services."""

from prometheus_client.parser import text_string_to_metric_families

from stack.http import ask
from stack.operator_key import operator_headers
from stack.ports import HOST

METRICS_SECONDS = 5.0


def counters(port: int, name: str) -> dict[str, float]:
    """The samples of one metric by their label values, joined by a comma; {"": value} for a metric without labels."""
    answer = ask(f"http://{HOST}:{port}/metrics", timeout=METRICS_SECONDS, more=operator_headers())
    return samples(answer.body.decode(), name)


def samples(text: str, name: str) -> dict[str, float]:
    """The same, from an answer of /metrics."""
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {",".join(sample.labels.values()): sample.value for sample in found if sample.name == name}


def counter(port: int, name: str) -> float:
    """The sum of the samples of one metric."""
    return sum(counters(port, name).values())
