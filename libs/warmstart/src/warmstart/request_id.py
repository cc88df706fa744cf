"""The id of one request, which travels from service to service and is in each log line of the request."""

import random
import re
from contextvars import ContextVar

from starlette.types import Scope

HEADER = "X-Request-ID"
RAW_HEADER = HEADER.lower().encode()
# No character that ends a log line or a header, and no long text that fills a log.
_VALID = re.compile(rb"[A-Za-z0-9._-]{1,128}")

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current() -> str | None:
    """The id of the request that this code runs for; None in a background task.

    Tasks begun for a request inherit it.
    """
    return _current.get()


def begin(scope: Scope) -> str:
    """Set the request's id: the one in its `X-Request-ID`, or a random one if that is missing or of another form.

    The id is not reset at the end: a server runs each request in a task of its own, and may log after the application.
    """
    for name, value in scope["headers"]:
        if name == RAW_HEADER and _VALID.fullmatch(value):
            chosen: str = value.decode("ascii")
            break
    else:
        # 0.3 µs, where uuid4 takes 3.4: the id keeps no secret.
        chosen = f"{random.getrandbits(128):032x}"
    _current.set(chosen)
    return chosen
