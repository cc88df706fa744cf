"""Reads the worker's answers: vectors and counts, or an error of its contract."""

import re
from dataclasses import dataclass

from aiohttp import ClientResponse
from pydantic import ValidationError

from api.embedding import FLOAT_BYTES, Embedding
from warmstart.errors import (
    BadRequest,
    DeadlineExceeded,
    DependencyUnavailable,
    Overloaded,
    PayloadTooLarge,
    ServiceError,
)
from warmstart.http.errors import ErrorBody, ErrorEnvelope
from warmstart.http.timing import Timings

_PLACE = re.compile(r"(?:texts|token_ids)\.(\d+)(?!\d)")


@dataclass(frozen=True)
class Answer:
    """One embedding per input, in order; the model that made them; the worker's own stage timings."""

    embeddings: list[Embedding]
    fingerprint: str
    timings: Timings


class RefusedInputError(Exception):
    """The worker refuses the input at `index`, or, with None, the whole call.

    `param` and `message` are the worker's; they name its own field (`texts.3`).
    """

    def __init__(self, error: ErrorBody) -> None:
        super().__init__(error.message)
        place = _PLACE.match(error.param or "")
        self.index = int(place[1]) if place else None
        self._place = place[0] if place else None
        self._error = error

    def as_bad_request(self, field: str | None) -> BadRequest:
        """The same error for a caller, who knows the input by the name `field`."""
        message, param = self._error.message, None
        if self._place and self._error.param and field:
            message = message.replace(self._place, field)
            param = self._error.param.replace(self._place, field)
        return BadRequest(message, param=param, code=self._error.code)


def read_answer(response: ClientResponse, body: bytes, count: int) -> Answer:
    """The answer to `count` inputs. Raises DependencyUnavailable when it is not of the agreed form."""
    headers = response.headers
    try:
        size = int(headers["X-Dimensions"]) * FLOAT_BYTES
        tokens = [int(number) for number in headers["X-Text-Tokens"].split(",")]
        fingerprint = headers["X-Model-Fingerprint"]
    except (KeyError, ValueError) as error:
        raise DependencyUnavailable("worker", f"its answer lacks {error}") from error
    if len(tokens) != count or len(body) != count * size:
        raise DependencyUnavailable("worker", f"it answered {len(tokens)} counts, {len(body)} bytes for {count}")
    embeddings = [Embedding(each, body[row * size : (row + 1) * size]) for row, each in enumerate(tokens)]
    return Answer(embeddings, fingerprint, Timings.parse(headers.get("Server-Timing", "")))


def refusal(response: ClientResponse, body: bytes) -> ServiceError | RefusedInputError:
    """What to raise for an answer that is no success."""
    try:
        error = ErrorEnvelope.model_validate_json(body).error
    except ValidationError:
        error = ErrorBody(message=f"it answered {response.status}", type="", param=None, code="")
    match response.status:
        case 400:
            return RefusedInputError(error)
        case 413:
            return PayloadTooLarge(error.message, code=error.code or None)
        case 503 if error.code == Overloaded.code:
            return Overloaded(error.message, retry_after=_seconds(response))
        case 504:
            return DeadlineExceeded(error.message)
        case _:
            return DependencyUnavailable("worker", error.message)


def _seconds(response: ClientResponse) -> float:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return 1.0
