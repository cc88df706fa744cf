"""Autoscaling by the worker's queue."""

import re
from collections.abc import Iterator

from k8s.tests.rules.manifest import Manifest, Object, name, quantity
from k8s.tests.rules.server import settings_of
from worker import metrics

GAUGE = next(iter(metrics.QUEUE_TOKENS.describe())).name
WORKERS_ALONE = 'pod!~"worker-next-.*"'  # of a scrape configuration without that label it leaves all
SELECTOR = re.compile(r"\b(worker_\w+)\{([^}]*)\}")


def the_queue_is_asked_for_by_its_name(manifest: Manifest) -> Iterator[str]:
    """A metric that nobody exports is no figure at all, and the autoscaler does nothing without a word in the pods."""
    for each, metric, selector, _ in _signals(manifest):
        if metric != GAUGE:
            yield f"{name(each)}: {metric or 'its query'} is no gauge of the worker's queue, {GAUGE} is"
        if "lane" not in selector:
            yield f"{name(each)}: counts bulk texts too, which wait on purpose: re-indexing would start all replicas"


def the_next_workers_queue_is_not_counted(manifest: Manifest) -> Iterator[str]:
    """While a model is replaced, both export the gauge. For other autoscalers the adapter's rule leaves it out."""
    for each, _, selector, _ in _signals(manifest):
        if each["kind"] == "ScaledObject" and WORKERS_ALONE not in selector:
            yield f"{name(each)}: counts what waits for worker-next, too: its query lacks {WORKERS_ALONE}"


def the_queue_may_reach_its_target(manifest: Manifest) -> Iterator[str]:
    """Below one batch every busy worker is one too few; above the limit workers refuse before more are started."""
    for each, _, _, target in _signals(manifest):
        for pod in manifest.services:
            if manifest.scaler(pod) is not each:
                continue
            settings = settings_of(pod.image, manifest.environment(pod)).model_dump()
            least, most = settings.get("max_batch_tokens", 0), settings.get("max_queue_tokens", 0)
            if not least < target < most:
                yield f"{name(each)}: aims at {target:g} tokens a pod, not between {least} and {most}"


def busy_cpus_count_too(manifest: Manifest) -> Iterator[str]:
    """Without Prometheus there is no figure of the queue: then the CPUs decide alone."""
    for each, *_ in _signals(manifest):
        kinds = {found["type"] for found in each["spec"].get("metrics", each["spec"].get("triggers", []))}
        if not kinds & {"Resource", "cpu"}:
            yield f"{name(each)}: goes by the queue alone"


def _signals(manifest: Manifest) -> Iterator[tuple[Object, str, str, float]]:
    """Autoscaler, metric, its selector and the tokens a pod, wherever Prometheus is the source."""
    for each in manifest.of("HorizontalPodAutoscaler"):
        for found in (metric["external"] for metric in each["spec"]["metrics"] if metric["type"] == "External"):
            labels = found["metric"].get("selector", {}).get("matchLabels", {})
            yield each, found["metric"]["name"], " ".join(labels), quantity(found["target"].get("averageValue", 0))
    for each in manifest.of("ScaledObject"):
        for found in (trigger["metadata"] for trigger in each["spec"]["triggers"] if trigger["type"] == "prometheus"):
            asked = SELECTOR.search(found["query"])
            yield each, asked[1] if asked else "", asked[2] if asked else "", float(found["threshold"])


RULES = (
    the_queue_is_asked_for_by_its_name,
    the_next_workers_queue_is_not_counted,
    the_queue_may_reach_its_target,
    busy_cpus_count_too,
)
