"""What may go wrong with a chat, as typed errors. None quotes the chat server, whose errors may quote the prompt."""

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import orjson

from warmstart.errors import DependencyUnavailable, Overloaded, ServiceError

LONGEST_WAIT = 86_400.0  # seconds of a Retry-After
LOOP_HEADER = "X-Chat-Loop"  # of each call to the chat server
TOO_LONG = "context_length_exceeded"  # OpenAI's code, which llama.cpp and vLLM answer in other words
DENIED = "it doesn't accept CHAT_API_KEY"
ITSELF = "CHAT_URL leads back to this service, or to another one that asks a chat server"
UNKNOWN = "it doesn't know CHAT_MODEL, or CHAT_URL is not its base URL"
_REASONS = {401: DENIED, 403: DENIED, 404: UNKNOWN, 508: ITSELF}  # by status


class TooManyChats(Overloaded):
    """So many chats are under way in this process that it takes no more."""

    code = "too_many_chats"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} chats are under way, the most of one process (MAX_CHATS)", retry_after=1)


class ChatUnavailable(DependencyUnavailable):
    """The chat server is not reached, lets nobody in, or isn't what the settings say."""

    def __init__(self, reason: str) -> None:
        super().__init__("chat", reason)


class ChatFailed(ServiceError):
    """The chat server gave another answer than one to the question."""

    status, type, code = 502, "upstream_error", "chat_failed"


class ChatBroken(ChatFailed):
    """Its answer broke off."""

    code = "chat_broken"


class ChatInvalid(ChatFailed):
    """Its answer isn't as OpenAI's API has it."""

    code = "chat_invalid"


class ChatLoop(ChatFailed):
    """This call is one to a chat server: each would make another one, without an end."""

    status, code = 508, "chat_loop"


class ChatSilent(ServiceError):
    """It has said nothing for too long, or too much."""

    status, type, code = 504, "timeout_error", "chat_timeout"


class ChatLimited(ServiceError):
    """It takes no more calls from this service for now."""

    status, type, code = 429, "rate_limit_error", "chat_rate_limited"


class ChatOverloaded(Overloaded):
    """It has too much to do, or starts."""

    code = "chat_overloaded"


class ChatRefused(ServiceError):
    """It doesn't take this call, however often it is sent."""

    status, type, code = 400, "invalid_request_error", "chat_refused"


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ServiceError:
    """The error for an answer of this status, other than 200."""
    wait = retry_after(headers.get("Retry-After", ""))
    match status:
        case 401 | 403 | 404 | 508:
            return ChatUnavailable(_REASONS[status])
        case 429:
            return ChatLimited("the chat server takes no more calls for now", retry_after=wait or 1)
        case 503 | 529:
            return ChatOverloaded("the chat server has too much to do, or starts", retry_after=wait or 1)
        case 400 | 413 | 422:
            too_long = status == 413 or _code(body) == TOO_LONG
            message = "messages are too long for the chat model" if too_long else "the chat server refuses this call"
            return ChatRefused(message, param="messages" if too_long else None, code=TOO_LONG if too_long else None)
        case _:
            return ChatFailed(f"the chat server answered {status}", retry_after=wait)


def retry_after(text: str) -> float | None:
    """Seconds, of a number or of a date; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


def _code(body: bytes) -> object:
    try:
        return orjson.loads(body)["error"]["code"]
    except (ValueError, TypeError, LookupError):
        return None
