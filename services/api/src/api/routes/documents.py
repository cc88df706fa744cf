"""`/v1/documents`: store, read and delete documents."""

import time
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Path, Request, Response

from api.admission import admit
from api.dependencies import Flags, Postgres
from api.document_labels import labelled
from api.document_vectors import for_each_model
from api.embedder import Embedder
from api.embedders import as_searched, searched
from api.embedding import Field
from api.metrics import STAGES
from api.schemas.documents import DocumentId, DocumentIds, DocumentOut, DocumentsIn
from api.store import documents
from api.store.documents import NewDocument
from contract import lane
from contract.lane import Lane
from warmstart.errors import NotFound
from warmstart.http.errors import error_responses
from warmstart.http.timing import Timings

router = APIRouter(prefix="/documents", tags=["documents"])

Id = Annotated[DocumentId, Path()]


TEXT = Field("documents", "documents.{}.text")


@router.post("", responses=error_responses(413, 429), openapi_extra={"parameters": [lane.PARAMETER]})
async def store_documents(
    request: Request,
    body: DocumentsIn,
    response: Response,
    postgres: Postgres,
    flags: Flags,
) -> DocumentIds:
    """Embed and store documents; those with a known id are replaced. All or none. They are bulk unless they ask.

    The texts get the model's prompt of documents. With the flag `classify_documents`, metadata without a `label` gets
    one.
    """
    asked = lane.asked(request.headers)
    new = [NewDocument(each.id or uuid4().hex, each.text, each.metadata) for each in body.documents]
    texts = [each.text for each in new]
    first = searched(request)
    await admit(request, texts, TEXT, first.model)

    async def work(embedder: Embedder) -> Timings:
        embedded, vectors = await for_each_model(request, embedder, texts, TEXT, asked or Lane.BULK)
        bulk = asked or Lane.BULK
        rows = await labelled(request, embedder, embedded, new, bulk) if flags.classify_documents else new
        began = time.perf_counter()
        await documents.upsert(postgres, rows, vectors, embedded.model.fingerprint)
        embedded.timings["database"] = time.perf_counter() - began
        return embedded.timings

    timings = await as_searched(request, first, work)
    STAGES.observe(timings)
    response.headers["Server-Timing"] = timings.header()
    return DocumentIds(ids=[each.id for each in new])


@router.get("/{id}", responses=error_responses(404))
async def get_document(id: Id, postgres: Postgres) -> DocumentOut:  # noqa: A002 - the field's name in the contract
    """One document."""
    found = await documents.get(postgres, id)
    if found is None:
        raise NotFound(f"id: there is no document {id}", param="id", code="document_not_found")
    return DocumentOut.model_validate(found)


@router.delete("/{id}", status_code=204, responses=error_responses(404))
async def delete_document(id: Id, postgres: Postgres) -> None:  # noqa: A002 - as above
    """Delete one document."""
    if not await documents.remove(postgres, id):
        raise NotFound(f"id: there is no document {id}", param="id", code="document_not_found")
