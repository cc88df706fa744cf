"""Texts to classify."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.schemas.base import MAX_ITEMS, RequestBody, Text
from api.schemas.embeddings import Usage
from contract.predictor import Label


class ClassifyRequest(RequestBody):
    """What to classify: 1 to 256 texts."""

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)]
    scores: bool = Field(False, description="whether each result has the score of every class")


class Classified(BaseModel):
    """A text's label, and its probability, 0 to 1; null if the predictor gives none.

    `scores` has the probability of every class, by its name.
    """

    label: Label
    score: float | None
    scores: dict[str, float] | None = None


class Classification(BaseModel):
    """One result for each text, in order, by one predictor: `model` is its name, `fingerprint` its file's sha256."""

    results: list[Classified]
    model: str
    fingerprint: str
    usage: Usage
