"""The nearest documents to a query in words: what a search answers with, and a chat is given."""

import time
from collections.abc import Sequence
from typing import Any

from fastapi import Request

from api.admission import admit
from api.dependencies import flags_of
from api.embedder import Embedder
from api.embedders import as_searched, searched
from api.embedding import Field
from api.store.nearest import Match
from api.store.search import Store, search_first
from contract import lane, prompts
from contract.lane import Lane
from warmstart.http.timing import Timings


async def retrieve(
    request: Request, query: str, field: Field, readable: Sequence[Store], *, limit: int, equals: dict[str, Any]
) -> tuple[list[Match], Timings]:
    """As many as `limit` documents, best first, among those in the space that is served now, and how long it took.

    `field` is the request's name for the query, which counts as one text against the quota, waits in the interactive
    lane unless the request asks for the other, and gets the model's prompt of queries. Raises what `admit`,
    `Embedder.embed` and `search` raise.
    """
    asked = lane.asked(request.headers)
    first = searched(request)
    await admit(request, [query], field, first.model)

    async def work(embedder: Embedder) -> tuple[list[Match], Timings]:
        embedded = await embedder.embed([query], field, asked or Lane.INTERACTIVE, prompts.QUERY)
        vector, space = embedded.embeddings[0], embedded.model.space
        began = time.perf_counter()
        exact = flags_of(request).exact_search
        found = await search_first(readable, vector, space, limit=limit, equals=equals, exact=exact)
        embedded.timings["database"] = time.perf_counter() - began
        return found, embedded.timings

    return await as_searched(request, first, work)
