"""How much of it is run, and on what, from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

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
        """REQUESTS, RUNS, REPORTS, ABORT_AFTER, DOCUMENTS and ENOUGH.

        Raises ValueError for what is no positive number.
        """

        def number(name: str, default: int) -> int:
            value = int(environment.get(name) or default)
            if value < 1:
                raise ValueError(f"{name} must be 1 or more")
            return value

        return cls(
            number("REQUESTS", 1000),
            number("RUNS", 1),
            Path(environment.get("REPORTS") or "reports/drills"),
            number("ABORT_AFTER", cls.abort_after),
            number("DOCUMENTS", cls.documents),
            number("ENOUGH", cls.enough),
        )
