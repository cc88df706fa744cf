"""Which services `fault` takes for ones that ignore their switches."""

import json
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import cast

import pytest

from stack.cli_faults import ignores_faults
from stack.interface import Stack
from stack.tests.server import reply, serving


@pytest.mark.parametrize(
    ("resources", "keys", "ignores"),
    [
        (["faults", "model"], "", False),
        (["model"], "", True),
        (["model"], "0perator", True),
        (["faults", "model"], "0perator", False),
        (["faults", "model"], "other", False),
        (["model"], "other", False),
    ],
)
def test_only_a_service_that_shows_its_resources_is_judged(
    monkeypatch: pytest.MonkeyPatch, resources: list[str], keys: str, *, ignores: bool
) -> None:
    """Where OPERATOR_KEYS is set it shows them to who has one of its keys; to others it may be either kind."""
    monkeypatch.setenv("OPERATOR_KEYS", keys)

    def startupz(handler: BaseHTTPRequestHandler) -> None:
        known = handler.headers.get("Authorization") == "Bearer 0perator" or not keys
        body = {"resources": [{"name": each} for each in resources] if known else []}
        reply(handler, 200, json.dumps(body).encode())

    with serving(startupz) as url:
        stack = cast("Stack", SimpleNamespace(probe_url=lambda _: url))
        assert ignores_faults(stack, "worker") == ignores
