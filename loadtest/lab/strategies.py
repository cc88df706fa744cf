"""The compared ways to start a model service, which differ only in settings of the worker."""

from collections.abc import Mapping
from dataclasses import dataclass

TORCH = {"ENGINE": "sentence-transformers", "PRECISION": "auto"}
DEFAULT = {"ENGINE": "auto", "PRECISION": "auto"}
# No trial waits for the drain of the one before it.
COMMON = {"WEB_CONCURRENCY": "1", "DRAIN_SECONDS": "0"}


@dataclass(frozen=True)
class Strategy:
    """One way to start.

    Args:
        name: in files and on the command line.
        title: in pictures.
        settings: of the worker.
        cold_cache: whether the page cache is dropped before each start.
    """

    name: str
    title: str
    settings: Mapping[str, str]
    cold_cache: bool = False

    @property
    def needs_torch(self) -> bool:
        """Whether this strategy needs a worker with sentence-transformers."""
        return self.settings.get("ENGINE") == "sentence-transformers"

    @property
    def environment(self) -> dict[str, str]:
        """All settings that a trial starts the worker with."""
        return {**COMMON, "WARMUP": "background", "WARMUP_PASSES": "on", **self.settings}


STRATEGIES = (
    Strategy("lazy", "lazy: the first request loads the model", {**TORCH, "WARMUP": "lazy"}),
    Strategy(
        "blocking",
        "blocking: the model loads before the server answers",
        {**TORCH, "WARMUP": "blocking", "WARMUP_PASSES": "off"},
    ),
    Strategy("warm", "warm: the server answers probes while the model loads and warms", TORCH),
    Strategy("artifact", "artifact: as warm, with the default engine", DEFAULT),
)

FULL = (
    Strategy("warm-no-passes", "warm, without warm-up passes", {**TORCH, "WARMUP_PASSES": "off"}),
    Strategy("artifact-no-passes", "artifact, without warm-up passes", {**DEFAULT, "WARMUP_PASSES": "off"}),
    Strategy("warm-cold-cache", "warm, page cache dropped", TORCH, cold_cache=True),
    Strategy("artifact-cold-cache", "artifact, page cache dropped", DEFAULT, cold_cache=True),
)


def chosen(names: str) -> tuple[Strategy, ...]:
    """Those that a comma-separated list names. Raises ValueError for an unknown one."""
    known = {each.name: each for each in (*STRATEGIES, *FULL)}
    unknown = set(names.split(",")) - set(known)
    if unknown:
        raise ValueError(f"no such strategy: {', '.join(sorted(unknown))} (there are {', '.join(known)})")
    return tuple(known[name] for name in names.split(","))
