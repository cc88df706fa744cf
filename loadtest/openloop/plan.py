"""The plan of a run, in a form that fits on a command line."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from loadtest.openloop.schedule import Constant, Poisson, Schedule

Connections = Literal["pooled", "fresh"]


@dataclass(frozen=True)
class Stream:
    """One kind of request.

    Args:
        maker: a function of `loadtest.openloop.makers`, `module:function`, or `module:function:argument`.
        url: base URL, http or https, without a user; https trusts the authorities of the machine, or of SSL_CERT_FILE.
        weight: its share of all requests, beside the weights of the others.
        connections: `pooled` keeps them open between requests and uses an idle one first; `fresh` opens one each.
        name: of its rows; the maker's by default.
    """

    maker: str
    url: str
    weight: float = 1
    connections: Connections = "pooled"
    name: str = ""

    @property
    def label(self) -> str:
        """The name of its rows."""
        return self.name or [*self.maker.split(":"), self.maker][1 if ":" in self.maker else 0]


@dataclass(frozen=True)
class Plan:
    """One run. It ends after `seconds` or after `requests`, whichever comes first; without either, when it is stopped.

    Args:
        schedule: the times when requests leave.
        streams: the kinds of requests; each request's kind is drawn at random by weight.
        seconds: how long requests leave.
        requests: how many leave.
        timeout: seconds from a request's scheduled time until it is given up.
        seed: the seed of the draw and of the texts.
        headers: sent with every request, beside its own.
    """

    schedule: Schedule
    streams: tuple[Stream, ...]
    seconds: float | None = None
    requests: int | None = None
    timeout: float = 30.0
    seed: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line that `from_json` understands."""
        return json.dumps({**asdict(self), "schedule": {type(self.schedule).__name__: asdict(self.schedule)}})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan that `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        [(kind, arguments)] = values.pop("schedule").items()
        schedule = {"Constant": Constant, "Poisson": Poisson}[kind](**arguments)
        streams = tuple(Stream(**stream) for stream in values.pop("streams"))
        return cls(schedule=schedule, streams=streams, **values)
