"""Requests made from a document, sent to a small server that does not keep it."""

from collections.abc import Iterator
from threading import Thread
from typing import Annotated

import pytest
import uvicorn
from fastapi import FastAPI, Query

from loadtest.fuzz.cases import scenarios
from stack import free_ports, until

app = FastAPI()


@app.get("/numbers")
async def number(n: Annotated[int, Query(le=9)]) -> int:
    """Fails at its limit."""
    return n // (9 - n)


@pytest.fixture
def url() -> Iterator[str]:
    """Where the app is served."""
    port = free_ports()["api"]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"))
    thread = Thread(target=server.run)
    thread.start()
    until(lambda: server.started, 10, "the server")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def test_a_fault_comes_with_a_command_that_repeats_it(url: str) -> None:
    """Valid and invalid requests are sent; a 500 at the limit of a field is found and named, and nothing else is."""
    seen = list(scenarios(url, 30, seed=0))
    assert {200, 422, 500} <= {status for scenario in seen for status in scenario.statuses}
    assert sum(len(scenario.statuses) for scenario in seen) >= 30
    faults = [fault for scenario in seen for fault in scenario.faults]
    assert f"curl -X GET '{url}/numbers?n=9'" in "".join(faults)
    assert all("n=9" in fault for fault in faults)
