"""The faults of a connection, by the names and units of Toxiproxy (https://github.com/Shopify/toxiproxy#toxics)."""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, nan
from typing import Literal, Self

Stream = Literal["upstream", "downstream"]  # client to server, server to client

BOTH: tuple[Stream, Stream] = ("upstream", "downstream")
# The attributes of each kind, with defaults; None: required. Milliseconds, KB/s, bytes; the slicer's delay is in µs.
ATTRIBUTES: Mapping[str, Mapping[str, float | None]] = {
    "latency": {"latency": None, "jitter": 0},
    "bandwidth": {"rate": None},
    "slow_close": {"delay": None},
    "timeout": {"timeout": 0},  # nothing passes; the connection is closed after so long, or never with 0: a black hole
    "reset_peer": {"timeout": 0},
    "slicer": {"average_size": None, "size_variation": 0, "delay": 0},
    "limit_data": {"bytes": None},  # so many bytes pass, then the connection is closed: an answer is cut short
    "half_open": {},  # the server's side is closed, and the client is never told, not even when the toxic is gone
    "down": {},  # connections are closed, new ones at once
}
WHOLE = ("reset_peer", "half_open", "down")  # what befalls a connection, not one of its streams


class BadToxic(ValueError):
    """An invalid toxic; the message says what is missing or too much."""


@dataclass(frozen=True)
class Toxic:
    """One fault on the streams that it names; `toxicity` is the share of affected connections."""

    kind: str
    attributes: Mapping[str, float] = field(default_factory=dict, hash=False)
    streams: tuple[Stream, ...] = BOTH
    toxicity: float = 1.0

    @classmethod
    def parse(cls, words: Iterable[str]) -> tuple[Self, ...]:
        """Toxics as a person writes them: `latency=300 jitter=50 stream=downstream bandwidth rate=10`.

        A kind begins the next toxic; `latency=300` is short for `latency latency=300`, where a kind has that attribute,
        unless the toxic before it has one of that name, and no value for it yet: `reset_peer timeout=300` is one toxic.

        Raises:
            BadToxic: a word that belongs to no kind, a value that is no number, or an attribute that is missing.
        """
        groups: list[tuple[str, dict[str, str]]] = []
        for word in words:
            name, equals, value = word.partition("=")
            open_for_it = groups and name in ATTRIBUTES[groups[-1][0]] and name not in groups[-1][1]
            if name in ATTRIBUTES and not (equals and open_for_it):
                groups.append((name, {}))
                if not equals:
                    continue
            if not groups:
                raise BadToxic(f"{name!r} is no toxic; there are {', '.join(ATTRIBUTES)}")
            groups[-1][1][name] = value
        return tuple(cls.of(kind, **given) for kind, given in groups)

    @classmethod
    def of(cls, kind: str, /, stream: str = "both", toxicity: float | str = 1.0, **given: float | str) -> Self:
        """One toxic, checked. Raises BadToxic."""
        if kind not in ATTRIBUTES:
            raise BadToxic(f"{kind!r} is no toxic; there are {', '.join(ATTRIBUTES)}")
        known = ATTRIBUTES[kind]
        if unknown := set(given) - set(known):
            raise BadToxic(f"{kind} has no {', '.join(sorted(unknown))}; it has {', '.join(known) or 'no attribute'}")
        if missing := [name for name, default in known.items() if default is None and name not in given]:
            raise BadToxic(f"{kind} needs {', '.join(missing)}")
        if stream not in (*BOTH, "both"):
            raise BadToxic(f"stream is upstream, downstream or both, not {stream!r}")
        if kind in WHOLE and stream != "both":
            raise BadToxic(f"{kind} is of the whole connection: it takes no stream")
        values = {name: _number(kind, name, given.get(name, default)) for name, default in known.items()}
        if values.get("rate") == 0:
            raise BadToxic(f"{kind}: rate is a number above 0; nothing passes with timeout")
        share = _number(kind, "toxicity", toxicity)
        if share > 1:
            raise BadToxic(f"{kind}: toxicity is a share, from 0 to 1")
        return cls(kind, values, tuple(each for each in BOTH if stream in (each, "both")), share)

    def __str__(self) -> str:
        """The words that `parse` reads."""
        values = [
            f"{name}={_shown(value)}" for name, value in self.attributes.items() if value != ATTRIBUTES[self.kind][name]
        ]
        streams = [] if self.streams == BOTH else [f"stream={self.streams[0]}"]
        share = [] if self.toxicity == 1 else [f"toxicity={_shown(self.toxicity)}"]
        return " ".join([self.kind, *values, *streams, *share])

    def __getitem__(self, attribute: str) -> float:
        return self.attributes[attribute]


def _number(kind: str, name: str, value: float | str | None) -> float:
    try:
        number = float(value if value is not None else 0)
    except ValueError:
        number = nan
    if not 0 <= number < inf:
        raise BadToxic(f"{kind}: {name} is a number from 0, not {value!r}")
    return number


def _shown(value: float) -> str:
    """All its digits, without a point where it is a whole number."""
    return repr(int(value) if value == int(value) else value)


def latest(toxics: Iterable[Toxic]) -> list[Toxic]:
    """Of two of a kind on a stream, the later one."""
    found: list[Toxic] = []
    for new in toxics:
        for old in [each for each in found if each.kind == new.kind]:
            found.remove(old)
            if streams := tuple(each for each in old.streams if each not in new.streams):
                found.append(replace(old, streams=streams))
        found.append(new)
    return found


def dumps(toxics: Iterable[Toxic]) -> str:
    """The text that `loads` reads."""
    return json.dumps(
        [
            {"kind": each.kind, "streams": list(each.streams), "toxicity": each.toxicity, **each.attributes}
            for each in toxics
        ]
    )


def loads(text: str) -> tuple[Toxic, ...]:
    """Toxics from text. Raises BadToxic, or ValueError for what is no JSON."""
    found = []
    for each in json.loads(text):
        streams = each.pop("streams")
        stream = "both" if len(streams) == len(BOTH) else streams[0]
        found.append(Toxic.of(each.pop("kind"), stream=stream, **each))
    return tuple(found)


def meets(toxic: Toxic) -> bool:
    """Whether a connection has this toxic, by chance."""
    return random.random() < toxic.toxicity  # noqa: S311 - chance, no secret
