"""Tasks of no request."""

import asyncio

from warmstart import request_id
from warmstart.apart import apart


def test_it_has_no_request() -> None:
    """A task that a request starts for everybody has neither the request's id nor anything else of its context."""

    async def who() -> str | None:
        return request_id.current()

    async def request() -> tuple[str | None, str | None]:
        request_id.begin({"headers": [(b"x-request-id", b"mine")]})
        return await asyncio.create_task(who()), await apart(who(), "for everybody")

    assert asyncio.run(request()) == ("mine", None)
