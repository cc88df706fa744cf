"""Reads the worker's answers: vectors and counts, or an error."""

from contextlib import suppress
from dataclasses import dataclass

from aiohttp import ClientResponse
from pydantic import ValidationError

from api.call_failed import AtInput, CallFailed, Refused
from api.embedding import Embedding
from api.worker_secret import REFUSED
from contract import predict
from contract.answer import FINGERPRINT, FLOAT_BYTES, SPACE, Description
from contract.prompts import FIELD
from contract.space import space_of
from warmstart.errors import (
    DeadlineExceeded,
    DependencyUnavailable,
    NotReady,
    Overloaded,
    PayloadTooLarge,
    ServiceError,
)
from warmstart.http.errors import ErrorBody, ErrorEnvelope
from warmstart.http.timing import Timings


class WorkerAway(DependencyUnavailable):
    """Nobody was there, or somebody who starts: nothing was computed, and it may be there in a moment."""

    def __init__(self, reason: str) -> None:
        super().__init__("worker", reason)


class OtherModel(DependencyUnavailable):
    """The workers that are there serve another space than the wanted one, or don't know the prompt."""

    def __init__(self, reason: str = "it serves another model") -> None:
        super().__init__("worker", reason)


class NotLetIn(DependencyUnavailable):
    """The worker accepts none of our secrets."""

    def __init__(self) -> None:
        super().__init__("worker", "it doesn't accept WORKER_SECRET")


class NoPredictor(DependencyUnavailable):
    """No worker that can be asked has a predictor.

    Unless one `had` it, only the operator can bring one: no Retry-After invites the caller to try.
    """

    def __init__(self, *, had: bool = False) -> None:
        super().__init__("predictor", "no worker has one: PREDICTOR names its file", retry_after=1 if had else None)


class OtherPredictor(AtInput):
    """The worker's predictor is none for the texts of the served model, or for one of them."""

    def __init__(self, reason: str, param: str | None = None) -> None:
        super().__init__("predictor", reason, param)


@dataclass(frozen=True)
class Answer:
    """One embedding per input, in order; the engine that they are of; the worker's own stage timings."""

    embeddings: list[Embedding]
    fingerprint: str
    timings: Timings


def is_of(space: str, response: ClientResponse, body: bytes) -> bool:
    """Whether an answer is of this space, or tells of no other model; what else is wrong, `read_answer` says."""
    if response.status != 200:
        return not isinstance(refusal(response, body), OtherModel)
    with suppress(KeyError, ValueError):
        return space_of(response.headers[FINGERPRINT], response.headers.get(SPACE)) == space
    return True


def read_answer(response: ClientResponse, body: bytes, count: int, space: str | None = None) -> Answer:
    """The answer to `count` inputs.

    Raises OtherModel for one of another `space`, DependencyUnavailable for one of another form.
    """
    try:
        told = Description.read(response.headers)
    except (KeyError, ValueError) as error:
        raise DependencyUnavailable("worker", f"its answer lacks {error}") from error
    if space not in (None, told.space):
        raise OtherModel
    size = told.dimensions * FLOAT_BYTES
    if len(told.tokens) != count or len(body) != count * size:
        raise DependencyUnavailable("worker", f"it answered {len(told.tokens)} counts, {len(body)} bytes for {count}")
    embeddings = [Embedding(each, body[row * size : (row + 1) * size]) for row, each in enumerate(told.tokens)]
    return Answer(embeddings, told.fingerprint, told.timings)


OF_THE_CONNECTION = (408, 421, 425)  # a proxy may answer so, whatever the request is


def refusal(response: ClientResponse, body: bytes) -> ServiceError:
    """The error to raise for an answer other than 200.

    A 400 is not the caller's mistake: the api itself refuses such inputs, by what the worker last told of its model.
    """
    try:
        error = ErrorEnvelope.model_validate_json(body).error
    except ValidationError:
        error = ErrorBody(message=f"it answered {response.status}", type="", param=None, code="")
    if response.url.path == predict.PATH and response.status in (400, 404):
        # A worker of an earlier version has no such route.
        return NoPredictor() if response.status == 404 else _other_predictor(error)
    return _by_status(response, error)


def _other_predictor(error: ErrorBody) -> OtherPredictor:
    """Why the predictor took no embedding, for a caller who has sent texts."""
    if error.code == predict.WRONG_WIDTH:
        return OtherPredictor(
            "the worker's is not for the served model's embeddings: it takes another number of features"
        )
    return OtherPredictor(f"the worker's refuses the served model's embeddings: {error.message}", error.param)


def _by_status(response: ClientResponse, error: ErrorBody) -> ServiceError:
    match response.status:
        case 400 if error.param == FIELD:
            return OtherModel(error.message)
        case 413:
            return PayloadTooLarge(error.message, code=error.code or None)
        case 429 | 503:
            return _not_now(response, error)
        case 504:
            return DeadlineExceeded(error.message)
        case status if 400 <= status < 500 and status not in OF_THE_CONNECTION:
            return NotLetIn() if status in REFUSED else Refused(error.message, error.param)
        case _:
            return CallFailed(error.message, error.param)


def _not_now(response: ClientResponse, error: ErrorBody) -> ServiceError:
    """A 429 is of something in between: the worker has no quota."""
    if response.status == 429 or error.code == Overloaded.code:
        return Overloaded(error.message, retry_after=_seconds(response))
    return WorkerAway(error.message) if error.code == NotReady.code else DependencyUnavailable("worker", error.message)


def _seconds(response: ClientResponse) -> float:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return 1.0
