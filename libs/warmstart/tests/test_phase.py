"""A process goes through its phases in one direction."""

import pytest
from fastapi import FastAPI

from warmstart import Lifecycle, ServiceSettings
from warmstart.lifecycle.phase import FOLLOWING, IllegalTransition, Phase

ALLOWED = {
    ("starting", "warming"),
    ("warming", "ready"),
    ("warming", "draining"),  # asked to leave
    ("warming", "stopped"),
    ("warming", "failed"),
    ("ready", "draining"),
    ("ready", "stopped"),  # where there is no drain
    ("ready", "failed"),
    ("draining", "stopped"),
}


@pytest.mark.parametrize("now", Phase)
@pytest.mark.parametrize("to", Phase)
def test_a_phase_follows_as_the_table_says(now: Phase, to: Phase) -> None:
    """A change that isn't in the table raises, such as from failed to ready, and from a phase to itself."""
    assert set(FOLLOWING) == set(Phase)
    if (now, to) in ALLOWED:
        assert now.then(to) is to
    else:
        with pytest.raises(IllegalTransition, match=f"{now} -> {to}"):
            now.then(to)


def test_a_lifecycle_obeys_the_table() -> None:
    """Neither its own code nor anybody else's puts it into a phase that can't follow."""
    lifecycle = Lifecycle(FastAPI(), [], ServiceSettings())
    with pytest.raises(IllegalTransition):
        lifecycle._enter(Phase.READY)
    with pytest.raises(AttributeError):
        lifecycle.phase = Phase.READY  # type: ignore[misc]
    assert lifecycle.phase is Phase.STARTING
