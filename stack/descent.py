"""Finds the descendants of a process."""

from collections.abc import Mapping


def descendants(first: int, parents: Mapping[int, int]) -> list[int]:
    """The process and all its descendants, itself first, from the parent of each."""
    found = [first]
    for pid in found:  # the list grows during the loop
        found += sorted(child for child, parent in parents.items() if parent == pid)
    return found
