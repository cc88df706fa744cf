"""What a Deployment, as the API server describes it, says of its pods and of its last start."""

from stack.manifests import Object

ENVIRONMENT = "warmstart/environment"  # an annotation: the variables that the last start added


def is_rolled_out(deployment: Object) -> bool:
    """Whether all pods have the newest template.

    Right after a change there are only old pods, and they are ready.
    """
    status = deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(seen and status.get("updatedReplicas", 0) >= deployment["spec"]["replicas"])


def added(deployment: Object) -> list[str]:
    """Names of the variables that the last `start` added."""
    names = deployment["metadata"].get("annotations", {}).get(ENVIRONMENT, "")
    return names.split(",") if names else []
