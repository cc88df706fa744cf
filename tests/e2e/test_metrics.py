"""docs/observability.md names every metric; dashboard and alerts ask a real Prometheus for real figures."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from observability.panels import ROWS
from stack import ComposeStack, EmbeddedStack, Stack, free_ports, until
from stack.chat import MODEL as CHAT_MODEL
from stack.interface import CHAT, PARTS
from stack.site import REPOSITORY
from tests.e2e.conftest import KINDS
from tests.harness import get
from tests.harness.prometheus import RULES, Prometheus

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| (both|api|worker)(?: with `CHAT_URL`)? \| ", re.MULTILINE)
COMPARED = re.compile(r"(.*) [<>] [\d.]+", re.DOTALL)  # the form of an alert's expression
OF_FLAGS = "WarmstartFlagsRefused"  # asks for the check of a file, of which compose.yaml mounts none
Metric = tuple[str, str, frozenset[str]]  # name, type, labels
texts = (f"text number {number} of the tests of metrics" for number in count())


@pytest.fixture(scope="module", params=KINDS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system with a chat server and, embedded, a file of flags: some figures are there only then."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "flags.json").write_text("{}")
    flags = {"FLAGS_FILE": str(folder / "flags.json")} if request.param is EmbeddedStack else {}
    stack: EmbeddedStack | ComposeStack = request.param(
        folder, free_ports(), parts=(*PARTS, CHAT), environment={"DRAIN_SECONDS": "0", **flags}
    )
    try:
        stack.up()
        yield stack
    finally:
        stack.discard()


def use(api: int) -> None:
    """A little of everything: a probe, a text that is new and comes twice, one that is cached, a document, a chat."""
    assert get(api, "/readyz").status == 200
    new = next(texts)
    for path, payload in (
        ("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": [new, new]}),
        ("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": new}),
        ("/v1/documents", {"documents": [{"id": "metrics", "text": new}]}),
        ("/v1/search", {"query": next(texts)}),
        (
            "/v1/chat/completions",
            {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "a text"}]},
        ),
    ):
        assert get(api, path, "POST", payload, timeout=30).status == 200


def documented(service: str) -> set[Metric]:
    """The table's rows of a service."""
    rows = ROW.findall((REPOSITORY / "docs" / "observability.md").read_text())
    return {
        (name, kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, of in rows
        if of in ("both", service)
    }


def exported(port: int) -> set[Metric]:
    """What a service gives."""
    found = set()
    for family in text_string_to_metric_families(get(port, "/metrics").body.decode()):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found.add((name, family.type, frozenset(labels)))
    return found


@pytest.mark.parametrize("service", ["api", "worker"])
def test_the_table_has_every_metric(stack: Stack, api: int, service: str) -> None:
    """With its type and labels; none is missing, none stale."""
    use(api)
    port = int(stack.url("api" if service == "api" else "worker").rsplit(":", 1)[1])
    until(lambda: exported(port) == documented(service), 10, "the table", lambda: exported(port) ^ documented(service))


def queries() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard, and the figure that each alert compares with a number."""
    for panel in (panel for row in ROWS for panel in row.panels):
        for query in panel.queries:
            yield panel.title, query.expr.replace("$__rate_interval", "1m").replace("$instance", ".*")
    groups: Any = yaml.safe_load(RULES.read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        figure = COMPARED.fullmatch(rule["expr"])
        assert figure, f"{rule['alert']} is not a figure, a comparison and a number"
        yield rule["alert"], figure[1]


@pytest.mark.prometheus
def test_every_query_has_an_answer(stack: Stack, api: int, tmp_path: Path) -> None:
    """With a little traffic each gives a number, and Prometheus can evaluate every rule."""
    with Prometheus(tmp_path, {"api": stack.url("api"), "worker": stack.url("worker")}) as prometheus:
        has_flags = isinstance(stack, EmbeddedStack)
        silent = {each for each in queries() if has_flags or each[0] != OF_FLAGS}

        def all_answered() -> bool:
            use(api)
            silent.difference_update([each for each in silent if prometheus.values(each[1])])
            return not silent

        until(all_answered, 60, "a number for every query", lambda: sorted(silent), interval=0.5)
        until(lambda: prometheus.health() == {"ok"}, 30, "every rule evaluated", prometheus.health)
