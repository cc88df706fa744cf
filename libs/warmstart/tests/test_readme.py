"""The README's application is a whole one."""

import re
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_application_runs() -> None:
    """The README's first block, run as it stands, is ready and answers, and is not ready outside its lifespan."""
    block = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert block
    names: dict[str, Any] = {}
    exec(block[1], names)
    with TestClient(names["app"]) as client:
        assert client.get("/answer").json() == 42
        assert client.get("/readyz").text == "ok"
        assert names["app"].state.ready is True
    assert names["app"].state.ready is False
