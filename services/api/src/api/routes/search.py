"""`POST /v1/search`: the nearest documents to a query in words."""

import time

from fastapi import APIRouter, Request, Response

from api.admission import admit
from api.dependencies import Postgres, embedder_of
from api.embedding import Field
from api.schemas.documents import SearchRequest, SearchResult, SearchResults
from api.store.search import search
from contract import lane, prompts
from contract.lane import Lane
from warmstart.http.errors import error_responses

router = APIRouter(tags=["search"])


QUERY = Field("query", "query")


@router.post("/search", responses=error_responses(413, 429), openapi_extra={"parameters": [lane.PARAMETER]})
async def search_documents(
    request: Request,
    body: SearchRequest,
    response: Response,
    postgres: Postgres,
) -> SearchResults:
    """As many as `limit` documents, best first, among those in the space of the model that is served now.

    The query gets the model's prompt of queries.
    """
    asked = lane.asked(request.headers)
    embedder = embedder_of(request)
    await admit(request, [body.query], QUERY, embedder.model)
    embedded = await embedder.embed([body.query], QUERY, asked or Lane.INTERACTIVE, prompts.QUERY)
    began = time.perf_counter()
    matches = await search(postgres, embedded.embeddings[0], embedded.model.space, limit=body.limit, equals=body.filter)
    embedded.timings["database"] = time.perf_counter() - began
    response.headers["Server-Timing"] = embedded.timings.header()
    return SearchResults(results=[SearchResult.model_validate(match) for match in matches])
