"""What `fault` asks a service about itself: whether it obeys switches, and the names of its resources."""

import json
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import cast

import pytest

from stack.cli_faults import require_obeyed
from stack.errors import StackError
from stack.interface import Stack
from stack.tests.server import reply, serving


def judge(resources: list[str], faults: dict[str, object], keys: str = "") -> str:
    """Why the faults are refused by a stack whose worker has these resources, and shows them to who has its key."""

    def startupz(handler: BaseHTTPRequestHandler) -> None:
        known = handler.headers.get("Authorization") == "Bearer 0perator" or not keys
        body = {"resources": [{"name": each} for each in resources] if known else []}
        reply(handler, 200, json.dumps(body).encode())

    with serving(startupz) as url:
        stack = cast("Stack", SimpleNamespace(probe_url=lambda _: url, breakable="make down"))
        try:
            require_obeyed(stack, "worker", faults)
        except StackError as error:
            return str(error)
    return ""


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
    assert judge(resources, {"unready": True}, keys).startswith("nothing would happen") == ignores


def test_a_check_that_a_service_has_not_is_refused() -> None:
    """A resource of a service that shows its resources must be one of them, other than the switches themselves."""
    resources = ["faults", "model"]
    assert judge(resources, {"failing_checks": ["model"]}) == ""
    assert judge([], {"failing_checks": ["nosuch"]}) == ""
    found = [judge(resources, {"failing_checks": ["model", name]}) for name in ("nosuch", "faults")]
    assert found == [f"failing_checks: {name}: no resource of worker; there are model" for name in ("nosuch", "faults")]
