"""Changes that the rules about autoscaling by the queue refuse."""

from k8s.tests.examples.changes import Change, Example, added, both, drop, local, production, put
from k8s.tests.rules import Rule, queue
from k8s.tests.rules.manifest import Object

CPU: Object = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "1400m"}}}


def external(metric: str, labels: dict[str, str], tokens: str, *others: Object) -> Change:
    """The worker's autoscaler goes by an external metric, and by others."""
    found = {"metric": {"name": metric, "selector": {"matchLabels": labels}}, "target": {"averageValue": tokens}}
    return put("HorizontalPodAutoscaler", "worker", "spec/metrics", [*others, {"type": "External", "external": found}])


def keda(query: str) -> Change:
    """KEDA's autoscaler in place of the worker's."""
    trigger = {"type": "prometheus", "metadata": {"query": query, "threshold": "5000"}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "worker"}, "maxReplicaCount": 2, "triggers": [trigger]}
    return both(drop("HorizontalPodAutoscaler", "worker"), added({"kind": "ScaledObject", "spec": spec}))


LANE = {"lane": "interactive"}
METRIC = "worker_queue_tokens"

QUEUE: dict[Rule, list[Example]] = {
    queue.the_queue_is_asked_for_by_its_name: [
        local(external("worker_queue_token", LANE, "5000"), "worker_queue_token is no gauge"),
        local(external(METRIC, {}, "5000"), "HorizontalPodAutoscaler/worker: counts bulk texts too"),
        local(keda("sum(worker_queue_depth{lane='interactive'})"), "ScaledObject/added: worker_queue_depth is no"),
        production(keda("sum(worker_queue_tokens{namespace='warmstart'})"), "ScaledObject/added: counts bulk texts"),
    ],
    queue.the_next_workers_queue_is_not_counted: [
        local(keda("sum(worker_queue_tokens{lane='interactive'})"), "counts what waits for worker-next"),
    ],
    queue.the_queue_may_reach_its_target: [
        local(external(METRIC, LANE, "100k"), "aims at 100000 tokens a pod, not between 2048 and 65536"),
        local(external(METRIC, LANE, "1k"), "aims at 1000 tokens a pod"),
    ],
    queue.busy_cpus_count_too: [
        local(external(METRIC, LANE, "5000"), "HorizontalPodAutoscaler/worker: goes by the queue alone"),
        local(keda("sum(worker_queue_tokens{lane='interactive'})"), "ScaledObject/added: goes by the queue alone"),
    ],
}
