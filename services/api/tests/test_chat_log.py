"""The log says why chats fail: once for each reason, and without anything that the chat server said."""

import pytest

from services.api.tests.conftest import CHAT_KEY as KEY
from services.api.tests.conftest import Start
from services.api.tests.helpers.chat_standin import CHUNKED, EVENTS, MODEL, ChatStandIn, plain, saying
from services.api.tests.helpers.chats import ask

LEAK = "quoted-from-the-prompt"
BODY = b'{"error": {"message": "%b", "code": null}}' % LEAK.encode()
REASONS = [
    (plain(401, BODY), "it doesn't accept CHAT_API_KEY"),
    (plain(403, BODY), "it doesn't accept CHAT_API_KEY"),
    (plain(404, BODY), "it doesn't know CHAT_MODEL, or CHAT_URL is not its base URL"),
    (plain(400, BODY), "the chat server refuses this call"),
    (plain(429, BODY), "the chat server takes no more calls for now"),
    (plain(500, BODY), "the chat server answered 500"),
    (plain(503, BODY), "the chat server has too much to do, or starts"),
    (b"", "the answer of the chat server broke off"),
]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged about chats that fail."""
    found = [each.getMessage() for each in caplog.records if each.name == "api.chat" and each.levelname == "WARNING"]
    return [each for each in found if each.startswith("chats fail: ")]


@pytest.mark.parametrize(("says", "why"), REASONS)
def test_a_server_that_refuses_is_logged_once(
    start: Start, upstream: ChatStandIn, says: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole or streamed, three chats that fail for one reason are one line, which has neither the body nor the key."""
    client = start(chat_url=upstream.url, chat_model=MODEL, chat_api_key=KEY)
    upstream.says = saying(says)
    assert all(ask(client, stream=stream).status_code >= 400 for stream in (False, True, False))
    [line] = lines(caplog)
    assert why in line
    assert LEAK not in caplog.text
    assert KEY not in caplog.text


def test_each_reason_is_logged(start: Start, upstream: ChatStandIn, caplog: pytest.LogCaptureFixture) -> None:
    """Reasons that take turns are a line each, not one for each turn, and a stream that breaks off is a reason."""
    client = start(chat_url=upstream.url, chat_model=MODEL)
    for _ in range(2):
        for says in (plain(404, BODY), CHUNKED + b"400\r\n", EVENTS + b"data: [DONE]\n\n"):
            upstream.says = saying(says)
            ask(client, stream=True)
    assert len(lines(caplog)) == 3


def test_a_text_that_is_too_long_is_no_failure(
    start: Start, upstream: ChatStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the caller's affair, and no line is logged for it."""
    client = start(chat_url=upstream.url, chat_model=MODEL)
    upstream.says = saying(plain(413, BODY))
    assert ask(client).status_code == 400
    assert lines(caplog) == []
