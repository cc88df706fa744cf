"""Labels documents on their way in, where `CLASSIFY_DOCUMENTS` is on: as well as it can, and no write fails for it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from api.classifier import classify
from api.embedder import Embedded, Embedder
from api.metrics import LABELS
from api.prediction import Result
from api.schemas.metadata import Metadata
from api.store.documents import NewDocument
from api.told import Told
from api.worker_answer import NoPredictor
from contract.lane import Lane
from warmstart.errors import ClientGone, ServiceError
from warmstart.http.deadline import remaining

LABEL = "label"  # in a document's metadata
LATER = 1.0  # seconds that labels may take, or half of what is left of the request's time budget

log = logging.getLogger("api.labels")
_told = Told(log)
_METADATA: TypeAdapter[object] = TypeAdapter(Metadata)


async def labelled(
    request: Request, embedder: Embedder, embedded: Embedded, new: Sequence[NewDocument], lane: Lane
) -> list[NewDocument]:
    """The documents, those that bring no label with the predictor's.

    While no worker has a predictor, as before its first rollout or after a roll-back, and when it fails or is too slow,
    they are returned as they came. That is counted, and stands in the log once, as long as the reason is the same.
    Raises ClientGone.
    """
    documents = list(new)
    places = [place for place, each in enumerate(documents) if LABEL not in each.metadata]
    LABELS["own"].inc(len(documents) - len(places))
    for place, result in zip(places, await _results(request, embedder, embedded, places, lane), strict=False):
        documents[place] = _with(result, documents[place])
    return documents


async def _results(
    request: Request, embedder: Embedder, embedded: Embedded, places: Sequence[int], lane: Lane
) -> Sequence[Result]:
    """One for each place, or none at all."""
    if not places:
        return []
    try:
        async with asyncio.timeout(min(LATER, remaining(request) / 2)):
            found = await classify(request, embedder, embedded, lane, places=places, waits=False)
    except ClientGone:
        raise
    except (ServiceError, TimeoutError) as error:
        LABELS["no_predictor" if isinstance(error, NoPredictor) else "failed"].inc(len(places))
        why = error.message if isinstance(error, ServiceError) else f"the predictor took more than {LATER:g} s"
        _told.again(f"documents are stored without a label: {why}")
        return []
    _told.well()
    return found.results


def _with(result: Result, document: NewDocument) -> NewDocument:
    """The document with the label, unless its metadata has no room for one."""
    metadata = {**document.metadata, LABEL: result.label}
    try:
        _METADATA.validate_python(metadata)
    except ValidationError:
        LABELS["no_room"].inc()
        return document
    LABELS["computed"].inc()
    return replace(document, metadata=metadata)
