"""`POST /v1/search`: the nearest documents to a query in words."""

from fastapi import APIRouter, Request, Response

from api.dependencies import Readable
from api.embedding import Field
from api.metrics import STAGES
from api.retrieval import retrieve
from api.schemas.documents import SearchRequest, SearchResult, SearchResults
from contract import lane
from warmstart.http.errors import error_responses

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
    matches, timings = await retrieve(request, body.query, QUERY, readable, limit=body.limit, equals=body.filter)
    STAGES.observe(timings)
    response.headers["Server-Timing"] = timings.header()
    return SearchResults(results=[SearchResult.model_validate(match) for match in matches])
