"""Documents and searches."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from api.schemas.base import MAX_ITEMS, RequestBody, Text, at
from api.schemas.metadata import Filter, Metadata


def _addressable(name: str) -> str:
    """The id itself. Clients resolve `/v1/documents/..` before they send it (RFC 3986, section 5.2.4)."""
    if name in (".", ".."):
        raise PydanticCustomError("dot_segment", "must not be . or .., which no URL can name")
    return name


DocumentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,200}$"), AfterValidator(_addressable)]


class DocumentIn(RequestBody):
    """A document to store; without an id it gets one."""

    id: DocumentId | None = None
    text: Text
    metadata: Metadata = Field(default_factory=dict)


def _distinct(documents: list[DocumentIn]) -> list[DocumentIn]:
    seen: set[str] = set()
    for place, document in enumerate(documents):
        if document.id in seen:
            raise at((place, "id"), PydanticCustomError("duplicate_id", "must not occur twice in one call"))
        if document.id is not None:
            seen.add(document.id)
    return documents


class DocumentsIn(RequestBody):
    """Documents to store; those that exist already are replaced."""

    documents: Annotated[
        list[DocumentIn], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True), AfterValidator(_distinct)
    ]


class DocumentIds(BaseModel):
    """The ids, in the order of the call."""

    ids: list[str]


class DocumentOut(BaseModel, from_attributes=True):
    """A stored document. `model` is the fingerprint of the model that was served when it was stored."""

    id: str
    text: str
    metadata: dict[str, Any]
    model: str
    updated_at: datetime


class SearchRequest(RequestBody):
    """A query in words; `filter` keeps documents whose metadata has each of its keys with an equal value."""

    query: Text
    limit: int = Field(10, ge=1, le=100)
    filter: Filter = Field(default_factory=dict)


class SearchResult(BaseModel, from_attributes=True):
    """A document and its cosine similarity to the query."""

    id: str
    text: str
    metadata: dict[str, Any]
    score: float


class SearchResults(BaseModel):
    """Best first, equal scores by id."""

    results: list[SearchResult]
