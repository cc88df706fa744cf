"""The two sides of `make overhead`."""

import json
import subprocess
import sys

import pytest

from stack.site import REPOSITORY

ASKING = """
import json
from fastapi.testclient import TestClient
from {module} import create_app
from warmstart.http import request_metrics

answer = TestClient(create_app()).get("/nosuch")
print(json.dumps([list(answer.headers), list(request_metrics.UNDER_WAY)]))
"""


@pytest.mark.parametrize(
    ("module", "watches"), [("api.app", True), ("loadtest.bench.bare.unwatched", False)], ids=["watched", "unwatched"]
)
def test_only_one_side_watches_its_requests(module: str, watches: bool) -> None:
    """The other one names no request and counts none as under way; both add the security headers."""
    done = subprocess.run(
        [sys.executable, "-c", ASKING.format(module=module)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    headers, counted = json.loads(done.stdout.splitlines()[-1])
    assert ("x-request-id" in headers, "GET" in counted) == (watches, watches)
    assert {"x-content-type-options", "content-security-policy", "cache-control"} <= set(headers)
