"""`POST /v1/search`: the nearest documents to a query in words."""

import time

from fastapi import APIRouter, Request, Response

from api.admission import admit
from api.dependencies import Readable
from api.embedder import Embedder
from api.embedders import as_searched, replacement_of, searched
from api.embedding import Field
from api.metrics import STAGES
from api.schemas.documents import SearchRequest, SearchResult, SearchResults
from api.store.nearest import Match
from api.store.search import search_first
from contract import lane, prompts
from contract.lane import Lane
from warmstart.http.errors import error_responses
from warmstart.http.timing import Timings

router = APIRouter(tags=["search"])


QUERY = Field("query", "query")


@router.post("/search", responses=error_responses(413, 429), openapi_extra={"parameters": [lane.PARAMETER]})
async def search_documents(
    request: Request,
    body: SearchRequest,
    response: Response,
    readable: Readable,
) -> SearchResults:
    """As many as `limit` documents, best first, among those in the space that is served now.

    The query gets the model's prompt of queries.
    """
    asked = lane.asked(request.headers)
    first = searched(request)
    await admit(request, [body.query], QUERY, first.model)

    async def work(embedder: Embedder) -> tuple[list[Match], Timings]:
        embedded = await embedder.embed([body.query], QUERY, asked or Lane.INTERACTIVE, prompts.QUERY)
        vector, space = embedded.embeddings[0], embedded.model.space
        began = time.perf_counter()
        replaced = replacement_of(request) is not None
        found = await search_first(readable, vector, space, limit=body.limit, equals=body.filter, replaced=replaced)
        embedded.timings["database"] = time.perf_counter() - began
        return found, embedded.timings

    matches, timings = await as_searched(request, first, work)
    STAGES.observe(timings)
    response.headers["Server-Timing"] = timings.header()
    return SearchResults(results=[SearchResult.model_validate(match) for match in matches])
