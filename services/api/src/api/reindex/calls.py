"""How many documents go to the worker in one call."""

from collections.abc import Sequence

from api.portions import portions
from api.store.backfill import Found
from contract.call import estimate
from contract.lane import LARGE
from contract.model import ModelInfo

TOKENS = 4 * LARGE  # of one call: four of the worker's batches. A larger one gains nothing, and ends late
LEAST = LARGE  # an idle worker takes one batch, however slow it is


def next_call(page: Sequence[Found], model: ModelInfo, tokens: int) -> list[Found]:
    """The first documents of a page: about so many tokens, within the worker's limits of one call, one at least."""
    room = tokens
    for number, each in enumerate(page):
        room -= estimate([each.text], special=model.special_tokens, longest=model.max_tokens)
        if number and room < 0:
            page = page[:number]
            break
    first = portions({place: each.text for place, each in enumerate(page)})[0]
    return [page[place] for place in first]
