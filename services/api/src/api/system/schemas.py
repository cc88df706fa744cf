"""The answer of `GET /v1/system`."""

from typing import Literal

from pydantic import BaseModel

from warmstart.http.probes import StartupReport


class Part(BaseModel):
    """The api that answers, or a worker at one address.

    `startup` is of the process that was asked, None where none answered; then `error` says why. `failing` has the lines
    of `/readyz?verbose` that begin with `[-]`, without that mark. `queue` has the tokens that wait, by lane.
    """

    kind: Literal["api", "worker", "next"]
    address: str
    ready: bool
    error: str | None = None
    failing: list[str] = []
    startup: StartupReport | None = None
    queue: dict[str, float] | None = None


class Figures(BaseModel):
    """Counts of the api's pod since its start; from two of them a page makes rates and quantiles.

    `clock` is in seconds, and only its differences mean anything. They are of `/v1` but for what pages ask for by
    themselves. `buckets` are cumulative: how many requests took at most so many seconds, the last one (null) all of
    them.
    """

    clock: float
    requests: float
    errors: float
    in_progress: float
    buckets: list[tuple[float | None, float]]
    cache_hits: float
    cache_misses: float


class System(BaseModel):
    """The whole system, as one api sees it.

    Workers are told apart by address. Behind an address that stands for several, such as that of a Kubernetes Service
    or a balancer, any one of them may have answered; `unasked` are those beyond the largest number that is asked.
    `instance` names the pod whose figures these are. `faults` says whether there are fault switches.
    """

    instance: str
    parts: list[Part]
    unasked: int
    figures: Figures
    faults: bool
