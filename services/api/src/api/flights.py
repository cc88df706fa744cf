"""The single flight of texts: whose call to the worker a request may wait for, and which of its errors it gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from api.call_failed import CallFailed
from api.embedding import Embedding
from api.singleflight import SingleFlight
from contract.lane import Lane
from warmstart.errors import DeadlineExceeded, Overloaded, PayloadTooLarge
from warmstart.http.timing import Timings


@dataclass(frozen=True)
class Computed:
    """One embedding that the worker has just computed."""

    embedding: Embedding
    timings: Timings


Key: TypeAlias = tuple[Lane, bytes]  # no interactive request waits for a bulk call that has its text
Flights: TypeAlias = SingleFlight[Key, Computed]


def new_flights() -> Flights:
    """The single flight of one process."""
    return SingleFlight(_is_private)


def _is_private(error: BaseException, asked: Sequence[Key], before: int) -> bool:
    """Whether another request's call failed for a reason that does not hold for one that `asked` for these texts.

    The other request's time was over, or its call was too large. Or the worker fails at a text of that call: whoever
    asked for every suspected text has the error too, since each new call might end two more processes. Or the
    worker had too much to do, perhaps only for the little time which that request had left: then one of those who
    waited asks again for all of them, with the most time that any has, and the second refusal is theirs too. Otherwise
    they would be refused one after the other.
    """
    match error:
        case CallFailed():
            return not set(error.suspects) <= set(asked)
        case Overloaded():
            return before == 0
        case _:
            return isinstance(error, DeadlineExceeded | PayloadTooLarge)
