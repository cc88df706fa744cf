"""`POST /embeddings/`: texts or lists of token ids in JSON, and headers with the rest of the call."""

from collections.abc import Iterable, Sequence

from warmstart import request_id
from warmstart.http import deadline

PATH = "/embeddings/"
TEXTS, TOKEN_IDS = "texts", "token_ids"  # fields of the body, which has one of them
SECONDS = deadline.HEADER  # for which the caller will still wait
REQUEST_ID = request_id.HEADER
TOKENS = "X-Call-Tokens"  # the estimated tokens of the whole call, of which this request is a part

BYTES_PER_TOKEN = 4  # of UTF-8: English has 4 to 5, Chinese 3
MOST_TOKENS = 10**12  # larger numbers in the header count as this one


def estimate(inputs: Iterable[str | Sequence[int]], *, special: int, longest: int) -> int:
    """Estimate the tokens of texts and of lists of ids before they are tokenized.

    Each input gets `special` more tokens, and is cut off at `longest`.
    """
    sizes = (len(each.encode()) // BYTES_PER_TOKEN if isinstance(each, str) else len(each) for each in inputs)
    return sum(min(size + special, longest) for size in sizes)


def stated_tokens(header: str | None) -> int:
    """The number in the header `TOKENS`; 0 when the header is absent or is no number."""
    known = header and header.isascii() and header.isdigit() and len(header) <= 15
    return min(int(header), MOST_TOKENS) if header and known else 0
