"""The rule of readiness over several processes, without a server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI

from warmstart import Lifecycle, Resource, ServiceSettings, install
from warmstart.lifecycle import place
from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import Entry, Place
from warmstart.lifecycle.readiness import checks, is_ready


class Pod(Place):
    """Processes that have published themselves, the first of them this one."""

    def __init__(self, losses: Sequence[str]) -> None:
        super().__init__()
        self._losses = losses

    def entries(self) -> list[Entry]:
        """Each is ready, and has lost the resource of its letter, or none."""
        return [
            Entry(pid, Phase.READY, {lost: "broken"} if lost else {}) for pid, lost in enumerate(self._losses, start=1)
        ]


@asynccontextmanager
async def opened(_: object) -> AsyncIterator[str]:
    """A resource that is always there."""
    yield "there"


async def good(_: object) -> None:
    """Its check."""


@pytest.mark.parametrize(
    ("losses", "needed", "ready"),
    [
        (("a", ""), 1, True),
        (("a", ""), 2, False),
        (("a", "b"), 1, False),
        (("a", "b", ""), 1, True),
        (("a", "b", ""), 2, False),
        (("shared", "shared"), 1, True),
    ],
)
def test_a_process_needs_all_that_only_its_pod_can_lose(
    monkeypatch: pytest.MonkeyPatch, losses: Sequence[str], needed: int, *, ready: bool
) -> None:
    """Of two processes that have lost one resource each, none is usable; what others can lose too doesn't count."""
    monkeypatch.setattr(place, "_place", Pod(losses))
    settings = ServiceSettings(web_concurrency=len(losses), min_ready_processes=needed)
    app = FastAPI()
    install(app, settings)
    local = [Resource(name, opened, check=good, gates=True) for name in ("a", "b")]
    resources = [*local, Resource("shared", opened, check=good)]

    async def found() -> bool:
        async with Lifecycle(app, resources, settings) as lifecycle:
            lifecycle.place.publish(Entry(1, Phase.READY))
            return is_ready(checks(lifecycle))

    assert asyncio.run(found()) is ready
