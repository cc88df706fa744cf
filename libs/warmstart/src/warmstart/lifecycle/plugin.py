"""The interface of plug-ins that change a service's resources: `Lifecycle(…, plugins=[…])`."""

from collections.abc import Sequence
from typing import Any, Protocol

from warmstart.lifecycle.resources import Resource


class Plugin(Protocol):
    """For example fault switches (`warmstart.faults`)."""

    def over(self, resources: Sequence[Resource[Any]]) -> Sequence[Resource[Any]]:
        """Return the resources to open instead of `resources`."""

    def unready(self) -> str | None:
        """Return why the pod must not be ready, or None."""
