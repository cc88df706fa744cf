"""What may stand between a service's declarations and its lifecycle: `Lifecycle(…, plugins=[…])`."""

from collections.abc import Sequence
from typing import Any, Protocol

from warmstart.lifecycle.resources import Resource


class Plugin(Protocol):
    """For example fault switches (`warmstart.faults`)."""

    def over(self, resources: Sequence[Resource[Any]]) -> Sequence[Resource[Any]]:
        """What is opened instead of `resources`."""

    def unready(self) -> str | None:
        """Why the pod shall not be ready, whatever else is true; or None."""
