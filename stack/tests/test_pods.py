"""What is read of a pod."""

from stack.pods import Pod
from stack.tests.cluster import pod


def test_a_pod_is_described_by_its_own_container() -> None:
    """Not by one beside it, which the API server lists first."""
    found = pod("postgres-1", ready=False, restarts=2)
    found["status"]["containerStatuses"].insert(0, {"name": "a-sidecar", "restartCount": 0, "state": {"waiting": {}}})
    seen = Pod.of(found)
    assert (seen.running, seen.restarts) == (True, 2)
