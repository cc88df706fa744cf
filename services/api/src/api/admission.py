"""Checks a caller's texts before any work is done for them."""

from collections.abc import Sequence

from fastapi import Request

from api.auth import caller_of, quota_of
from api.dependencies import lifecycle_of
from api.embedding import Field, Item
from api.quota import Limit, Quota
from api.resources import REDIS
from api.settings import ApiSettings
from contract.inputs import check_inputs
from contract.model import ModelInfo
from warmstart.errors import QuotaExceeded


async def admit(request: Request, items: Sequence[Item], field: Field, model: ModelInfo) -> None:
    """Raise BadRequest for an input that `model` or a setting doesn't allow, naming its `field`, or QuotaExceeded.

    An admitted call counts against the quota, also when its answer is an error. A refused call doesn't.
    """
    settings: ApiSettings = request.app.state.settings
    characters = min(settings.max_text_characters, model.max_text_characters)
    check_inputs(items, field.of, characters=characters, vocabulary=model.vocabulary_size)
    quota: Quota = request.app.state.quota
    if limit := quota.limit(quota_of(request.scope)):
        await _spend(request, quota, limit, len(items))


async def _spend(request: Request, quota: Quota, limit: Limit, texts: int) -> None:
    lifecycle = lifecycle_of(request)
    cache = None if lifecycle.failure("redis") else lifecycle.held(REDIS)
    standing = await quota.spend(limit, caller_of(request.scope), texts, cache.client if cache else None)
    request.state.rate_limit = standing.headers()  # for RateLimitHeaders
    if not standing.fits:
        raise QuotaExceeded(
            f"{texts} more texts would be over your quota of {standing.limit}: {standing.remaining} are left",
            retry_after=standing.reset,
        )
