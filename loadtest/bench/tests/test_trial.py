"""The rows of the stress commands."""

import json
import math

from loadtest.bench.trial import line


def test_a_request_without_an_end_is_a_line_of_json() -> None:
    """Python alone writes and reads Infinity; jq and JavaScript refuse the file."""

    def refuse(name: str) -> float:
        raise AssertionError(name)

    found = json.loads(line({"outcome": "unfinished", "ms": math.inf, "lag": 0.5}), parse_constant=refuse)
    assert found == {"outcome": "unfinished", "ms": None, "lag": 0.5}
