"""How an answer of a vault, or none, is judged: `Fatal` where waiting can't help, `Away` where it may."""

import json
import re

NO_JSON = "200: the answer is no JSON"  # as of a proxy, or of a network that wants a login first

# Errors of http.client and urllib3 that quote what came instead of HTTP, which may be a part of a secret.
QUOTING = re.compile(r"(BadStatusLine|InvalidChunkLength)\(.*")


class Away(Exception):
    """The vault gave no usable answer. `retry_after` are the seconds that it asks for."""

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def content(body: bytes) -> object:
    """What is in the body of a 200. Raises Away for one that is no JSON."""
    try:
        return json.loads(body)
    except ValueError:  # its text quotes the answer
        raise Away(NO_JSON) from None


def line(text: object) -> str:
    """The beginning of the first line of what a client library says, without what an answer held."""
    lines = str(text).strip().splitlines()
    return QUOTING.sub(r"\1", lines[0])[:300] if lines else ""


def seconds(text: object) -> float:
    """A `Retry-After` in seconds; 0 for none, and for a date."""
    return float(text) if isinstance(text, str) and text.isdecimal() and len(text) < 6 else 0
