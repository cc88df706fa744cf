"""A quota as people write it: `600/minute`, `10000 per day`, `50 per 10 seconds` (the grammar of `limits`)."""

from limits import parse_many

TEN_YEARS = 10 * 366 * 86_400  # seconds; Redis refuses an expiry that overflows its clock


def checked(text: str) -> str:
    """Return a quota, or nothing. Raises ValueError for what is neither."""
    try:
        limits = parse_many(text) if text else []
    except ValueError:
        limits = []
    if text and (len(limits) != 1 or not limits[0].amount):
        raise ValueError("must be one limit of at least one text, such as 600/minute, 10000 per day, 50 per 10 seconds")
    if text and not (limits[0].amount <= 10**12 and limits[0].get_expiry() <= TEN_YEARS):
        raise ValueError("must be at most 10**12 texts, in at most ten years")
    return text
