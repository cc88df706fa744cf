"""A call that classifies embeddings, and its answer."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
from aiohttp import ClientResponse
from pydantic import ValidationError

from api.embedding import Embedding
from api.worker_answer import NoPredictor, OtherPredictor, refusal
from contract.limits import BODY_BYTES, ROWS
from contract.predict import FEATURES, PROBABILITIES, PredictResponse
from contract.predictor import Label
from warmstart.errors import DependencyUnavailable

VALUES = 190_000  # numbers of one call: a worker takes 200,000 JSON values, unless MAX_BODY_VALUES says otherwise
NUMBER = 25  # bytes of a number in JSON at most, and a comma
PIECE = 64  # rows, written in 1 ms
DIGITS = 6  # of a probability: the vector of one text differs by 2e-7 with the batch that it is computed in
TRAIN = "python -m worker.train makes one"


@dataclass(frozen=True)
class Result:
    """A text's label, its probability if the classifier has any, and that of every class by its name."""

    label: Label
    score: float | None
    scores: dict[str, float] | None


@dataclass
class Portion:
    """Embeddings of one `space`, and the answer to them: by the file of this `fingerprint`, if one is wanted."""

    embeddings: Sequence[Embedding]
    space: str
    fingerprint: str | None = None
    answer: PredictResponse | None = None

    async def payload(self) -> bytes:
        """The body of the call. Between pieces the event loop serves other requests."""
        pieces: list[bytes] = []
        for first in range(0, len(self.embeddings), PIECE):
            if first:
                await asyncio.sleep(0)
            pieces.append(orjson.dumps([each.floats() for each in self.embeddings[first : first + PIECE]])[1:-1])
        rows = orjson.Fragment(b"[" + b",".join(pieces) + b"]")
        return orjson.dumps({FEATURES: rows, PROBABILITIES: True})

    def fits(self, reply: ClientResponse, body: bytes) -> bool:
        """Whether no other worker need be asked. Raises DependencyUnavailable for an answer of another form."""
        self.answer = None
        if reply.status != 200:
            return not isinstance(refusal(reply, body), NoPredictor | OtherPredictor)
        self.answer = _read(body, len(self.embeddings))
        return self.is_by_the_same and not _fault(self.answer, self.space)

    @property
    def is_by_the_same(self) -> bool:
        """Whether the answer is by the file that is wanted."""
        return self.answer is not None and self.fingerprint in (None, self.answer.fingerprint)

    def results(self) -> list[Result]:
        """Of each embedding, in order. Raises OtherPredictor unless they are by a classifier of the space."""
        if self.answer is None:
            return []
        if fault := _fault(self.answer, self.space):
            raise OtherPredictor(fault)
        return [_result(self.answer, row) for row in range(len(self.embeddings))]


def divided(embeddings: Sequence[Embedding]) -> Iterator[Sequence[Embedding]]:
    """In portions that a worker takes in one call: of 256 vectors of 384 numbers it is one."""
    numbers = embeddings[0].dimensions
    rows = max(1, min(ROWS, VALUES // (numbers + 1), BODY_BYTES // (numbers * NUMBER)))
    for start in range(0, len(embeddings), rows):
        yield embeddings[start : start + rows]


def _read(body: bytes, count: int) -> PredictResponse:
    try:
        answer = PredictResponse.model_validate_json(body)
    except ValidationError as error:
        raise DependencyUnavailable("worker", "it did not answer predictions") from error
    sizes = {len(answer.predictions), len(answer.probabilities or answer.predictions)}
    wide = {len(each) for each in answer.probabilities or ()}
    if sizes != {count} or not wide <= {len(answer.classes or ())}:
        raise DependencyUnavailable("worker", f"it answered {len(answer.predictions)} predictions for {count}")
    return answer


def _fault(answer: PredictResponse, space: str) -> str:
    """Why it is no classifier of these vectors, in words; nothing if it is one."""
    if answer.classes is None:
        return f"{answer.model} is no classifier"
    if not set(map(type, answer.predictions)) <= {str, int, float, bool}:
        return f"{answer.model} has several outputs"
    if answer.space is None:
        return f"{answer.model} doesn't say of which space its vectors are; {TRAIN} that does"
    if answer.space != space:
        return f"{answer.model} is for vectors of another space than the served model's; {TRAIN} for it"
    return ""


def _result(answer: PredictResponse, row: int) -> Result:
    label, classes = answer.predictions[row], answer.classes or ()
    if isinstance(label, list) or label not in classes:
        raise DependencyUnavailable("worker", "it answered a label that is none of its classes")
    if not answer.probabilities:
        return Result(label, None, None)
    rounded = [round(each, DIGITS) for each in answer.probabilities[row]]
    names = (each if isinstance(each, str) else orjson.dumps(each).decode() for each in classes)
    return Result(label, rounded[classes.index(label)], dict(zip(names, rounded, strict=True)))
