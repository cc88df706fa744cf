"""One request is found by its id in the logs of both services."""

from uuid import uuid4

import httpx2

from services.api.tests.conftest import MODEL
from stack import EmbeddedStack, Part, until


def wait_for_line(stack: EmbeddedStack, part: Part, name: str, text: str) -> None:
    """Until a line of a service's log names the request and holds `text`."""

    def found() -> bool:
        return any(f"[{name}]" in line and text in line for line in stack.logs(part).splitlines())

    until(found, 20, f"the line of the {part}")


def test_the_worker_logs_the_id_of_the_api(stack: EmbeddedStack, http: httpx2.Client) -> None:
    """The api passes the id on with its call, and the access line of each service has it."""
    name = uuid4().hex
    body = {"input": f"named {name}", "model": MODEL}
    answer = http.post("/v1/embeddings", json=body, headers={"X-Request-ID": name})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, name)
    wait_for_line(stack, "api", name, "POST /v1/embeddings 200")
    wait_for_line(stack, "worker", name, "POST /embeddings/ 200")
