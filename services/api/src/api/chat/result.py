"""The result that a chat is counted under, by the error that ended it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from api.chat import errors
from api.chat_results import Ended
from warmstart.errors import ClientGone, ServiceError

# The first that fits counts.
_OF_ERRORS: dict[type[BaseException], str] = {
    asyncio.CancelledError: "cut",
    ClientGone: "left",
    errors.TooManyChats: "refused",
    errors.ChatUnavailable: "unavailable",
    errors.ChatOverloaded: "unavailable",
    errors.ChatLimited: "limited",
    errors.ChatSilent: "silent",
    errors.ChatBroken: "broken",
    errors.ChatFailed: "failed",
}


@contextmanager
def noted(ended: Ended) -> Iterator[None]:
    """Note how the block, which is all of a chat, ends."""
    try:
        yield
        ended.result = "answered"
    except BaseException as error:
        ended.result = _result(error, ended)
        raise


def _result(error: BaseException, ended: Ended) -> str:
    for kind, result in _OF_ERRORS.items():
        if isinstance(error, kind):
            return result
    if isinstance(error, ServiceError):  # the chat server's are all named above
        return "rejected" if error.status < 500 else "search"
    return "failed" if ended.asked else "search"
