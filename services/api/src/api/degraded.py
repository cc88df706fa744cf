"""Health samples of a store that answers, but can't do everything."""

READS_ONLY, WRONG_SCHEMA = "read-only", "database is at revision"


def hopeless(failure: str | None) -> bool:
    """Whether the reason of a health sample means that a call to the store is pointless.

    If the store answers but is read-only, or has another schema, a statement finds out by itself what is possible:
    reads go on, and everything works again as soon as the fault is repaired.
    """
    return failure is not None and READS_ONLY not in failure and WRONG_SCHEMA not in failure
