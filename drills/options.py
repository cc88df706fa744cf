"""How much of it is run, and on what, from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from loadtest.variables import positive

CONTROL_SHARE = 0.3  # share of the requests: a control must only fail, and is not measured


@dataclass(frozen=True)
class Options:
    """How much of everything.

    Attributes:
        requests: of a drill at least.
        runs: of everything.
        reports: where they go.
        abort_after: the limit of `drills.guard`.
        documents: that are searched while a model is replaced.
        enough: so many failures that must be end a control; it may do more harm than that.
    """

    requests: int
    runs: int
    reports: Path
    abort_after: int = 20
    documents: int = 1000
    enough: int = 3

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """REQUESTS, RUNS, REPORTS, ABORT_AFTER, DOCUMENTS and ENOUGH. Ends the process as `positive` does."""
        return cls(
            positive("REQUESTS", 1000, environment),
            positive("RUNS", 1, environment),
            Path(environment.get("REPORTS") or "reports/drills"),
            positive("ABORT_AFTER", cls.abort_after, environment),
            positive("DOCUMENTS", cls.documents, environment),
            positive("ENOUGH", cls.enough, environment),
        )
