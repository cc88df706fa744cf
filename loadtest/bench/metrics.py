"""What a service of ours has counted so far."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from loadtest.bench.connection import HOST

METRICS_SECONDS = 5.0
# An http_proxy of the environment is no way to 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def counters(port: int, name: str) -> dict[str, float]:
    """The samples of one metric by their label values, joined by a comma; {"": value} for a metric without labels."""
    with _opener.open(f"http://{HOST}:{port}/metrics", timeout=METRICS_SECONDS) as answer:
        text = answer.read().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {",".join(sample.labels.values()): sample.value for sample in samples if sample.name == name}


def counter(port: int, name: str) -> float:
    """The sum of these samples."""
    return sum(counters(port, name).values())
