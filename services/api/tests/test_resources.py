"""What the api opens, and what of it may take a replica out of the balancer."""

from api.resources import RESOURCES


def test_what_all_replicas_share_does_not_gate() -> None:
    """Postgres, Redis and the worker are lost to all apis at once: none of them may make each of them unready."""
    assert {each.name for each in RESOURCES} >= {"postgres", "redis", "worker"}
    assert not [each.name for each in RESOURCES if each.gates]
