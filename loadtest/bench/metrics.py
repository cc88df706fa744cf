"""What a service of ours has counted so far."""

from prometheus_client.parser import text_string_to_metric_families

from stack.http import ask
from stack.ports import HOST

METRICS_SECONDS = 5.0


def counters(port: int, name: str) -> dict[str, float]:
    """The samples of one metric by their label values, joined by a comma; {"": value} for a metric without labels."""
    return samples(ask(f"http://{HOST}:{port}/metrics", timeout=METRICS_SECONDS).body.decode(), name)


def samples(text: str, name: str) -> dict[str, float]:
    """The same, of what /metrics has answered."""
    found = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {",".join(sample.labels.values()): sample.value for sample in found if sample.name == name}


def counter(port: int, name: str) -> float:
    """The sum of these samples."""
    return sum(counters(port, name).values())
