"""How much an embedding call is, before anybody has tokenized it; it travels from service to service."""

from collections.abc import Iterable, Sequence

HEADER = "X-Call-Tokens"  # estimated tokens of the whole call that a request is a part of
BYTES_PER_TOKEN = 4  # of UTF-8: English has 4 to 5, Chinese 3
MOST = 10**12  # no header says more


def estimate(inputs: Iterable[str | Sequence[int]], *, special: int, longest: int) -> int:
    """Tokens of texts and of lists of ids, each with `special` more, cut off at `longest`."""
    sizes = (len(each.encode()) // BYTES_PER_TOKEN if isinstance(each, str) else len(each) for each in inputs)
    return sum(min(size + special, longest) for size in sizes)


def stated(value: str | None) -> int:
    """What the header says; 0 when it is absent or no number."""
    return min(int(value), MOST) if value and value.isascii() and value.isdigit() and len(value) <= 15 else 0
