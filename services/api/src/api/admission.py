"""What is checked before any work is done for a caller's texts."""

from collections.abc import Callable, Sequence

from fastapi import Request

from api.embedding import Item
from api.quota import Quota
from api.settings import ApiSettings
from servicekit.errors import BadRequest


def admit(request: Request, items: Sequence[Item], field: Callable[[int], str]) -> None:
    """Raise BadRequest for a text over the limit, naming its `field`, or QuotaExceeded for the caller."""
    settings: ApiSettings = request.app.state.settings
    quota: Quota = request.app.state.quota
    limit = settings.max_text_characters
    for index, item in enumerate(items):
        if isinstance(item, str) and len(item) > limit:
            where = field(index)
            message = f"{where} has {len(item)} characters; the limit is {limit}"
            raise BadRequest(message, param=where, code="text_too_long")
    quota.spend(request.state.caller, len(items))
