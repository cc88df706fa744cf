"""What a load test has stored is removed when it ends."""

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

from stack.http import FAILURES, exchange

TIMEOUT = 5.0  # seconds
GONE = (204, 404)  # 404: the request that was to store it has failed


def remove(host: str, ids: set[str], headers: Mapping[str, str]) -> str:
    """Delete documents, and take those that are gone out of `ids`.

    Returns:
        Why the others are not, or nothing.
    """
    parts = urlsplit(host)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        for each in sorted(ids):
            answer = exchange(connection, f"{parts.path.rstrip('/')}/v1/documents/{each}", "DELETE", more=headers)
            if answer.status not in GONE:
                return f"the api answered {answer.status}"
            ids.remove(each)
    except FAILURES as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return ""
