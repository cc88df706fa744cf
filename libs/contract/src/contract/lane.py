"""The two lanes of the worker's queue, and which one a call waits in."""

from collections.abc import Mapping
from enum import StrEnum

from warmstart.errors import BadRequest

HEADER = "X-Priority"
# A batch of the worker's default size. A larger call takes several batches: calls of its size would delay small ones.
LARGE = 2048  # tokens


class Lane(StrEnum):
    """Interactive calls go before bulk calls."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


PARAMETER = {
    "name": HEADER,
    "in": "header",
    "description": "the lane of the queue to wait in, instead of the one that the call's kind and size give it",
    "schema": {"type": "string", "enum": [str(lane) for lane in Lane]},
}  # as OpenAPI has it: `openapi_extra={"parameters": [PARAMETER]}`


def asked(headers: Mapping[str, str]) -> Lane | None:
    """The lane that the header `HEADER` asks for; None without one. Raises BadRequest for another value."""
    if HEADER not in headers:
        return None
    try:
        return Lane(headers[HEADER])
    except ValueError:
        raise BadRequest(f"{HEADER} must be {' or '.join(Lane)}", param=HEADER) from None


def by_size(tokens: int) -> Lane:
    """The lane of a call of so many tokens, unless it asks for one."""
    return Lane.BULK if tokens > LARGE else Lane.INTERACTIVE
