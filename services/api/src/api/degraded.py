"""What a health sample says of a store that answers, but can't do all."""

READS_ONLY, WRONG_SCHEMA = "read-only", "database is at revision"


def hopeless(failure: str | None) -> bool:
    """Whether a health sample's reason says that asking the store is of no use.

    When it answers but is read-only, or its schema is not ours, a statement finds out by itself what is possible:
    reading goes on, and so does all from the moment that the fault is mended.
    """
    return failure is not None and READS_ONLY not in failure and WRONG_SCHEMA not in failure
