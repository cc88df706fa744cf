"""`POST /embeddings/`: texts, or lists of token ids, in JSON, and headers that say more of the call."""

from collections.abc import Iterable, Sequence

from warmstart import request_id
from warmstart.http import deadline

PATH = "/embeddings/"
TEXTS, TOKEN_IDS = "texts", "token_ids"  # fields of the body, which has one of them
SECONDS = deadline.HEADER  # that the caller still waits
REQUEST_ID = request_id.HEADER
TOKENS = "X-Call-Tokens"  # estimated, of the whole call that a request is a part of

BYTES_PER_TOKEN = 4  # of UTF-8: English has 4 to 5, Chinese 3
MOST_TOKENS = 10**12  # no header says more


def estimate(inputs: Iterable[str | Sequence[int]], *, special: int, longest: int) -> int:
    """Tokens of texts and of lists of ids before anybody has tokenized them.

    Each has `special` more, and is cut off at `longest`.
    """
    sizes = (len(each.encode()) // BYTES_PER_TOKEN if isinstance(each, str) else len(each) for each in inputs)
    return sum(min(size + special, longest) for size in sizes)


def stated_tokens(header: str | None) -> int:
    """What the header `TOKENS` says; 0 when it is absent or no number."""
    known = header and header.isascii() and header.isdigit() and len(header) <= 15
    return min(int(header), MOST_TOKENS) if header and known else 0
