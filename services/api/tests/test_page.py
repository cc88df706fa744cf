"""The page's files, and what `GET /v1/system` says; what a person sees is tried in a browser (tests/page)."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from fastapi.testclient import TestClient

from api.routes.page import FILES, FOLDER
from api.system.figures import figures, queue
from api.system.schemas import Part
from api.system.workers import without_idle_family
from services.api.tests.conftest import Start
from stack import EmbeddedStack


def test_the_page_needs_no_other_host_and_nothing_inline(start: Start) -> None:
    """Whatever the page names is one of its own files, under a policy that allows nothing else."""
    client = start()
    page = client.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"<style|<script>|\sstyle=|\son\w+=", page.text)
    named = re.findall(r'(?:src|href)="(assets/[^"]*)"', page.text)
    imported = [f"assets/{name}" for file in FOLDER.glob("*.js") for name in re.findall(r'"\./(.*)"', file.read_text())]
    assert {client.get(f"/{each}").status_code for each in named + imported} == {200}
    assert not [name for name in FILES if b"://" in re.sub(rb'"http://www.w3.org/[^"]*"', b"", FILES[name].content)]


def test_no_file_of_the_page_writes_html() -> None:
    """Users' documents may hold anything: no module hands text to the browser's HTML parser."""
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function")
    assert [file.name for file in FOLDER.glob("*.js") if forbidden.search(file.read_text())] == []


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.js")), ids=lambda file: file.name)
def test_a_module_has_one_idea(file: Path) -> None:
    """Each module of the page is shorter than 200 lines."""
    assert len(file.read_text().splitlines()) < 200


def test_an_asset_is_asked_for_again_and_not_sent_again(start: Start) -> None:
    """A browser checks each file by its tag, so that page and modules are of one version; no other path is served."""
    client = start()
    first = client.get("/assets/main.js")
    assert first.headers["Cache-Control"] == "no-cache"
    assert client.get("/assets/main.js", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    for path in ("/assets/../page.py", "/assets/%2e%2e/settings.py", "/assets/", "/assets/__init__.py"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/assets/main.js", "/favicon.ico"])
def test_a_second_visit_keeps_the_first_ones_policy(start: Start, path: str) -> None:
    """A browser takes a 304's headers for the file that it has kept (RFC 9111, section 3.2): they change nothing."""
    client = start()
    first = client.get(path).headers
    second = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert second.status_code == 304
    own = {"x-request-id"}
    assert {name: first[name] for name in second.headers if name not in own} == {
        name: value for name, value in second.headers.items() if name not in own
    }
    if path == "/":
        assert second.headers["Content-Security-Policy"] == first["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/assets/", "/docs-assets/", "/readyz/", "/readyz?verbose&exclude="])
def test_an_answer_repeats_only_the_beginning_of_an_unknown_name(start: Start, path: str) -> None:
    """Of a file or check that there is none of, an answer has at most 100 characters of the name."""
    text = start().get(path + "n" * 5000).text
    assert "n" * 99 in text
    assert "n" * 100 not in text


def test_the_system_is_the_api_and_its_workers(start: Start) -> None:
    """One call tells phase, resources and queue of each, and counts the api's own work without itself."""
    client = start()
    before = client.get("/v1/system").json()
    assert [(each["kind"], each["startup"]["phase"], each["ready"]) for each in before["parts"]] == [
        ("api", "ready", True),
        ("worker", "ready", True),
    ]
    assert before["parts"][1]["queue"].keys() == {"interactive", "bulk"}
    assert client.post("/v1/embeddings", json={"input": "a", "model": "all-MiniLM-L6-v2"}).status_code == 200
    counted = [fresh(client)["figures"] for _ in range(2)]
    assert [each["requests"] - before["figures"]["requests"] for each in counted] == [1, 1]
    assert counted[0]["buckets"][-1] == [None, counted[0]["requests"]]


def fresh(client: TestClient) -> dict[str, Any]:
    """An answer from a look that began after this call."""
    client.app.state.look._fresh_until = 0.0  # type: ignore[attr-defined]
    answer: dict[str, Any] = client.get("/v1/system").json()
    return answer


def test_all_who_ask_within_a_second_share_one_look(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten open pages cost no more than one."""
    monkeypatch.setattr("api.system.look.FRESH", 3600)
    client = start()
    assert len({client.get("/v1/system").content for _ in range(10)}) == 1


def test_a_worker_that_is_away_is_shown_so(start: Start) -> None:
    """The answer comes all the same, and says why there is none from that worker."""
    client = start()
    workers = client.app.state.look._workers  # type: ignore[attr-defined]
    workers._url = workers._url.with_port(1)
    api, worker = client.get("/v1/system").json()["parts"]
    assert api["ready"]
    assert (worker["ready"], worker["startup"]) == (False, None)
    assert worker["error"] == "Connection refused"


def test_a_worker_without_tls_is_shown_so(start: Start) -> None:
    """The number of an error of TLS is none of the system's errors: `Operation not permitted` would be a lie."""
    client = start()
    workers = client.app.state.look._workers  # type: ignore[attr-defined]
    workers._url = workers._url.with_scheme("https")
    assert "SSL" in client.get("/v1/system").json()["parts"][1]["error"]


def test_a_name_with_addresses_of_both_ip_versions_is_one_worker(start: Start, stack: EmbeddedStack) -> None:
    """`localhost` is no worker that is away, where the workers listen on 127.0.0.1 alone; all lost ones are shown."""
    client = start(worker_url=stack.url("worker").replace("127.0.0.1", "localhost"))
    assert [each["ready"] for each in client.get("/v1/system").json()["parts"]] == [True, True]
    away = [Part(kind="worker", address=each, ready=False) for each in ("127.0.0.1:8001", "::1:8001")]
    assert without_idle_family(away) == away


def test_each_address_of_a_name_is_a_worker(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a name with many addresses each is shown as itself; those beyond the largest number are counted."""
    client = start()
    workers = client.app.state.look._workers  # type: ignore[attr-defined]

    async def twenty() -> list[str]:
        return [f"127.0.0.{number}" for number in range(1, 21)]

    monkeypatch.setattr(workers._addresses, "get", twenty)
    found = client.get("/v1/system").json()
    shown = found["parts"][1:]
    assert (len(shown), found["unasked"]) == (16, 4)
    assert [each["address"].split(":")[0] for each in shown if each["ready"]] == ["127.0.0.1"]


def test_an_answer_in_many_pieces_is_read_whole(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's metrics may be larger than what a connection carries at once; what is too large is no answer."""
    client = start()
    workers = client.app.state.look._workers  # type: ignore[attr-defined]
    assert client.portal
    status, body = client.portal.call(workers._call, "GET", "127.0.0.1", "/docs-assets/swagger-ui.css")
    assert (status, len(body) > 100_000) == (200, True)
    monkeypatch.setattr("api.system.workers.LARGEST", 1000)
    with pytest.raises(ClientPayloadError):
        client.portal.call(workers._call, "GET", "127.0.0.1", "/docs-assets/swagger-ui.css")


def test_with_keys_the_system_is_for_callers_only(start: Start) -> None:
    """The page itself needs no key; what it shows does."""
    client = start(api_keys="k")
    assert client.get("/").status_code == 200
    assert client.get("/v1/system").status_code == 401
    assert client.get("/v1/system", headers={"Authorization": "Bearer k"}).status_code == 200


def test_an_operators_key_shows_the_system_and_opens_nothing_else(start: Start) -> None:
    """It needs no API key beside it; a wrong one shows nothing, and the right one is none for other routes."""
    client = start(api_keys="k", operator_keys="0perator")
    keys = {each: {"Authorization": f"Bearer {each}"} for each in ("0perator", "0perato")}
    assert client.get("/v1/system", headers=keys["0perator"]).status_code == 200
    assert client.get("/v1/system", headers=keys["0perato"]).status_code == 401
    assert client.get("/v1/models", headers=keys["0perator"]).status_code == 401


def sample(name: str, value: float, **labels: object) -> str:
    """A line of Prometheus text."""
    written = ",".join(f'{key}="{label}"' for key, label in labels.items())
    return f"{name}{{{written}}} {value:.1f}"


def answers(route: str, status: int, fast: int, number: int, method: str = "POST") -> list[str]:
    """A route's durations, of which some are fast."""
    family = "http_server_request_duration_seconds"
    labels = {"http_request_method": method, "http_response_status_code": status, "http_route": route}
    counts = [
        sample(f"{family}_bucket", fast, **labels, le=0.01),
        sample(f"{family}_bucket", number, **labels, le="+Inf"),
    ]
    return [*counts, sample(f"{family}_count", number, **labels)]


METRICS = "\n".join(
    [
        "# HELP api_cache_lookups_total Texts looked up in Redis",
        *answers("/v1/search", 200, 2, 3),
        *answers("/v1/search", 503, 1, 1),
        *(
            line
            for route in ("/v1/system", "/v1/models", "/v1/models/{model}", "/v1/reports")
            for line in answers(route, 200, 99, 99, "GET")
        ),
        *answers("unmatched", 404, 7, 7),
        sample("http_server_active_requests", 1, http_request_method="GET"),
        sample("http_server_active_requests", 1, http_request_method="POST"),
        sample("api_cache_lookups_total", 5, result="hit"),
        sample("api_cache_lookups_total", 1, result="error"),
        sample("worker_queue_tokens", 12, lane="bulk"),
    ]
).encode()


def test_figures_are_those_of_the_work() -> None:
    """Routes of `/v1` are added up, but for those that pages ask; a look-up that failed is no hit."""
    began = time.monotonic()
    found = figures(METRICS)
    assert (found.requests, found.errors, found.in_progress) == (4, 1, 2)
    assert found.buckets == [(0.01, 3), (None, 4)]
    assert (found.cache_hits, found.cache_misses) == (5, 1)
    assert found.clock >= began
    assert queue(METRICS) == {"bulk": 12}
