"""Which processes come from which."""

from collections.abc import Mapping


def descendants(first: int, parents: Mapping[int, int]) -> list[int]:
    """The process and all that come from it, it first, by the parent of each."""
    found = [first]
    for pid in found:  # grows meanwhile
        found += sorted(child for child, parent in parents.items() if parent == pid)
    return found
