"""Makes the row of a request from its exchange."""

import json
import re
from dataclasses import replace
from typing import Any

from loadtest.openloop.client import Exchange
from loadtest.openloop.rows import Row
from loadtest.request import Request
from stack.http import Answer

TIMING = re.compile(r"([\w-]+);dur=([\d.]+)")


def outcome(row: Row, request: Request, result: Exchange) -> Row:
    """The row, completed with the answer."""
    row = replace(
        row,
        first_byte=result.first_byte,
        done=result.done,
        error=result.error,
        connection="reused" if result.reused else "new",
        process=result.process,
    )
    answer = result.answer
    if answer is None:
        return row
    wait = answer.headers.get("retry-after", "")
    code, message = _refusal(answer)
    wrong, kept = _read(request, answer)
    return replace(
        row,
        status=answer.status,
        error=wrong,
        kept=kept,
        code=code,
        message=message,
        retry_after=float(wait) if wait.isdecimal() else None,
        closes=answer.headers.get("connection", "").lower() == "close",
        timing={name: float(ms) for name, ms in TIMING.findall(answer.headers.get("server-timing", ""))},
    )


def _read(request: Request, answer: Answer) -> tuple[str | None, Any]:
    """What is wrong with an answer, or what is kept of it. Whatever `check` or `keep` raises is wrong, too."""
    if answer.status != 200:
        return None, None
    try:
        wrong = request.check(answer) if request.check else ""
        kept = request.keep(answer) if request.keep and not wrong else None
    except Exception as error:  # noqa: BLE001 - without a row, a wrong answer would be no failure
        wrong, kept = f"{type(error).__name__}: {error}", None
    return (f"wrong: {wrong}" if wrong else None), kept


def _refusal(answer: Answer) -> tuple[str | None, str | None]:
    """The code and the message of an error, where the answer has them: as a whole, or as the last event of a stream."""
    text = answer.body
    if answer.status < 400:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            return None, None
        text = text.rstrip().rpartition(b"\n")[2].removeprefix(b"data:")
    try:
        error = json.loads(text)["error"]
        code: str | None = error["code"]
        return code, error.get("message")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, None
