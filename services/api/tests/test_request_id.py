"""One request is found by its id in the logs of both services."""

from uuid import uuid4

import httpx2

from services.api.tests.conftest import MODEL
from stack import EmbeddedStack, Part, poll_until


def lines(stack: EmbeddedStack, part: Part, name: str) -> list[str]:
    """The lines of a service's log that name the request."""
    return [line for line in stack.logs(part).splitlines() if f"[{name}]" in line]


def test_the_worker_logs_the_id_of_the_api(stack: EmbeddedStack, http: httpx2.Client) -> None:
    """The api passes the id on with its call, and the access line of each service has it."""
    name = uuid4().hex
    body = {"input": f"named {name}", "model": MODEL}
    answer = http.post("/v1/embeddings", json=body, headers={"X-Request-ID": name})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, name)
    poll_until(lambda: any("POST /v1/embeddings 200" in line for line in lines(stack, "api", name)), 5, "api's line")
    poll_until(
        lambda: any("POST /embeddings/ 200" in line for line in lines(stack, "worker", name)), 5, "worker's line"
    )
