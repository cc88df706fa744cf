"""What is checked before any work is done for a caller's texts."""

from collections.abc import Callable, Sequence

from fastapi import Request

from api.auth import caller_of
from api.embedding import Item
from api.quota import Quota
from api.resources import REDIS
from api.settings import ApiSettings
from warmstart import Lifecycle
from warmstart.errors import BadRequest, QuotaExceeded


async def admit(request: Request, items: Sequence[Item], field: Callable[[int], str]) -> None:
    """Raise BadRequest for a text over the limit, naming its `field`, or QuotaExceeded for the caller.

    What is admitted is spent, also when the answer is an error then; what is refused spends nothing.
    """
    settings: ApiSettings = request.app.state.settings
    limit = settings.max_text_characters
    for index, item in enumerate(items):
        if isinstance(item, str) and len(item) > limit:
            where = field(index)
            message = f"{where} has {len(item)} characters; the limit is {limit}"
            raise BadRequest(message, param=where, code="text_too_long")
    quota: Quota | None = request.app.state.quota
    if quota:
        await _spend(request, quota, len(items))


async def _spend(request: Request, quota: Quota, texts: int) -> None:
    lifecycle: Lifecycle = request.app.state.lifecycle
    cache = None if lifecycle.failure("redis") else lifecycle.held(REDIS)
    standing = await quota.spend(caller_of(request.scope), texts, cache.client if cache else None)
    request.state.rate_limit = standing.headers()  # for RateLimitHeaders
    if not standing.fits:
        raise QuotaExceeded(
            f"{texts} more texts would be over your quota of {standing.limit}: {standing.remaining} are left",
            retry_after=standing.reset,
        )
