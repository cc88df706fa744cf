"""Divides a page of documents into calls that the worker takes."""

from collections.abc import Iterator, Sequence

from api.portions import portions
from api.store.backfill import Found
from contract.call import estimate
from contract.model import ModelInfo

TOKENS = 8192  # of one call: four of the worker's batches. A larger one gains nothing, and ends late on a slow worker


def divided(page: Sequence[Found], model: ModelInfo) -> Iterator[list[Found]]:
    """Calls of about `TOKENS`, within the worker's limits of one call."""
    call: list[Found] = []
    room = TOKENS
    for each in page:
        size = estimate([each.text], special=model.special_tokens, longest=model.max_tokens)
        if call and size > room:
            yield from _portions(call)
            call, room = [], TOKENS
        call.append(each)
        room -= size
    if call:
        yield from _portions(call)


def _portions(call: Sequence[Found]) -> Iterator[list[Found]]:
    for places in portions({place: each.text for place, each in enumerate(call)}):
        yield [call[place] for place in places]
