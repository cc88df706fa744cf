"""What a cluster has only while a model is being replaced: workers of the new one, and the Job that embeds for it."""

import json
import logging
from collections.abc import Iterable

from stack.errors import StackError
from stack.foreground import foreground
from stack.interface import NEXT
from stack.kubectl import Kubectl
from stack.manifests import Object
from stack.models import VARIABLE
from stack.pods import PART_LABEL, Pod
from stack.waiting import until

log = logging.getLogger(__name__)

COMPONENTS = (NEXT, "reindex")
JOB = "reindex"
BEGUN_SECONDS = 120.0  # a node may have to pull the image
NOTED_SECONDS = 30.0  # from the end of the log to the exit code


def workers(found: Iterable[Object], model: str, annotation: str) -> list[Object]:
    """The objects of `worker-next` alone, one replica with this model; no autoscaler, as the stack sets replicas.

    Args:
        found: the objects of k8s/ with the components.
        model: EMBEDDING_MODEL.
        annotation: the name of that which says what variables were added to a Deployment.
    """
    own = [each for each in found if NEXT in each["metadata"]["name"] and each["kind"] != "HorizontalPodAutoscaler"]
    for each in (one for one in own if one["kind"] == "Deployment"):
        each["metadata"].setdefault("annotations", {})[annotation] = VARIABLE
        container = each["spec"]["template"]["spec"]["containers"][0]
        container.setdefault("env", []).append({"name": VARIABLE, "value": model})
    return own


def run_job(kubectl: Kubectl, found: Iterable[Object], arguments: Iterable[str]) -> int:
    """Run the Job once with other arguments, its log on this process's terminal; returns its exit code.

    An interrupt ends the log only: the Job goes on.

    Raises:
        StackError: its pod doesn't start, or its log ended before it did.
    """
    own = [each for each in found if each["metadata"]["name"] == JOB]
    for each in (one for one in own if one["kind"] == "Job"):
        each["spec"]["backoffLimit"] = 0
        container = each["spec"]["template"]["spec"]["containers"][0]
        container["command"] = [*container["command"][:3], *arguments]
    kubectl.run("delete", f"job/{JOB}", "--ignore-not-found", "--cascade=foreground", timeout=NOTED_SECONDS + 60)
    kubectl.run("apply", "--filename", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": own}))
    log.info("%-9s begins; an interrupt ends its log here, the Job goes on", JOB)
    pod = until(lambda: _begun(kubectl), BEGUN_SECONDS, f"a pod of the Job {JOB} that runs", interval=1.0)
    foreground(kubectl.command("logs", "--follow", pod.name))
    goes_on = f"the end of the Job {JOB}; if it goes on: {' '.join(kubectl.command('logs', '--follow', f'job/{JOB}'))}"
    ended = until(lambda: _ended(kubectl), NOTED_SECONDS, goes_on, interval=1.0)
    return 1 if ended.exit_code is None else ended.exit_code


def remove(kubectl: Kubectl, found: Iterable[Object]) -> None:
    """Delete the objects of both components."""
    own = [each for each in found if each["metadata"]["name"] == JOB or NEXT in each["metadata"]["name"]]
    names = sorted(f"{each['kind'].lower()}/{each['metadata']['name']}" for each in own)
    kubectl.run("delete", "--ignore-not-found", *names, timeout=NOTED_SECONDS + 60)


def _pods(kubectl: Kubectl) -> list[Pod]:
    return [Pod.of(each) for each in kubectl.items("pods", "--selector", f"{PART_LABEL}={JOB}")]


def _begun(kubectl: Kubectl) -> Pod | None:
    return next((pod for pod in _pods(kubectl) if pod.running or pod.exit_code is not None), None)


def _ended(kubectl: Kubectl) -> Pod | None:
    return next((pod for pod in _pods(kubectl) if pod.exit_code is not None), None)


def there_for(known: str) -> StackError:
    """Why no workers of another model are started: those of a replacement that may be under way are there."""
    return StackError(f"{NEXT} is there for {known}: finish or abandon that first, or delete deployment/{NEXT}")


def not_ours_to_change(model: str) -> StackError:
    """Why the stack gives the worker no other model."""
    return StackError(
        f"in a cluster the worker's model is its manifest's: give the Deployment worker the image of {NEXT}"
        f" (or {VARIABLE}={model}), apply it, wait for `kubectl rollout status deployment/worker`, and finish again."
        f" Searches use {NEXT} meanwhile"
    )
