"""Log lines for what the chat server refuses or fails at: one for each reason, not one for each chat."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from api.chat.errors import TOO_LONG, ChatFailed, ChatLimited, ChatOverloaded, ChatRefused, ChatSilent, ChatUnavailable
from warmstart.lifecycle.told import Told

log = logging.getLogger("api.chat")

OF_THE_SERVER = (ChatUnavailable, ChatOverloaded, ChatLimited, ChatSilent, ChatFailed, ChatRefused)


class Failures:
    """Those of one chat server. Its check may succeed while every chat fails, as for an unknown model."""

    def __init__(self) -> None:
        self._told = Told()

    @contextmanager
    def told(self) -> Iterator[None]:
        """Log why the block fails, unless it is known; the error has nothing of the chat server's body, and no key."""
        try:
            yield
        except OF_THE_SERVER as error:
            # Some servers refuse an unknown model by 400. A text that is too long is the caller's affair.
            if error.code != TOO_LONG and self._told.is_news(error.message):
                log.warning("chats fail: %s", error.message)
            raise
