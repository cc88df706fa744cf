"""What a probe is expected to answer over the time of a drill: `200`, `(none) (503) 200`, `never 200`, `any`."""

import re
from collections.abc import Sequence


def matches(expected: str, changes: Sequence[str]) -> bool:
    """Whether the answers came in this order; what is in parentheses may be missing.

    >>> matches("(none) 503 200", ["503", "200"])
    True
    """
    if expected == "any" or expected.startswith("never "):
        return expected.removeprefix("never ") not in changes
    pattern = "".join(_as_regex(step) for step in expected.split())
    return re.fullmatch(pattern, "".join(f"{each} " for each in changes)) is not None


def _as_regex(step: str) -> str:
    answer = re.escape(step.strip("()"))
    return f"(?:{answer} )?" if step.startswith("(") else f"{answer} "
