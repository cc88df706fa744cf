"""The stand-in for a chat model as a part of a stack: started only when it is asked for, and the api is led to it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import PARTS, ComposeStack, EmbeddedStack, StackError, free_ports
from stack.chat import MODEL
from stack.choice import current
from stack.demo_chat import ADDRESS, VARIABLE, asked_parts
from stack.http import FAILURES, ask
from stack.interface import CHAT
from stack.kubernetes import KubernetesStack
from stack.ports import VARIABLES
from stack.tests.cluster import Cluster, deployment, pod

RENDERED = """\
{kind: Deployment, metadata: {name: api}, spec: {template: {spec: {containers: [{name: api}]}}}}
---
{kind: ConfigMap, metadata: {name: chat}}
---
{kind: Deployment, metadata: {name: chat}, spec: {replicas: 1, template: {spec: {containers: [{name: chat}]}}}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The stand-in, and nothing else."""
    with EmbeddedStack(tmp_path_factory.mktemp("chat"), free_ports(), (CHAT,), {"DRAIN_SECONDS": "0"}) as running:
        yield running


def test_it_answers_where_the_stack_says(stack: EmbeddedStack) -> None:
    """At its own address; `status` says that it is no language model."""
    [model] = ask(f"{stack.url(CHAT)}/v1/models").json()["data"]
    assert model["id"] == MODEL
    [status] = [each for each in stack.status() if each.part == CHAT]
    assert (status.ready, status.detail) == (True, "ready: echoes sources, no language model")


def test_an_api_that_is_started_beside_it_is_led_to_it(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the user names a chat server: that one is left to it."""
    monkeypatch.delenv(ADDRESS, raising=False)
    for named, wanted in ((None, f"{stack.url(CHAT)}/v1"), ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1")):
        if named:
            monkeypatch.setenv(ADDRESS, named)
        stack.start("api", wait=False)
        try:
            assert stack.environment("api")[ADDRESS] == wanted
        finally:
            stack.stop("api")


def test_an_api_that_runs_already_is_led_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `up` with the stand-in restarts the api that an earlier one started without it, once, and no other part."""
    monkeypatch.delenv(ADDRESS, raising=False)
    with EmbeddedStack(tmp_path, free_ports(), environment={"ENGINE": "fake", "DRAIN_SECONDS": "0"}) as plain:
        others = [plain.pids(part)[0] for part in PARTS if part != "api"]
        asked = EmbeddedStack(tmp_path, plain.site.ports, (*PARTS, CHAT), {"ENGINE": "fake", "DRAIN_SECONDS": "0"})
        asked.up()
        assert asked.environment("api").get(ADDRESS) == f"{asked.url(CHAT)}/v1"
        assert [asked.pids(part)[0] for part in PARTS if part != "api"] == others
        before = [asked.pids(part)[0] for part in asked.parts]
        asked.up()
        assert [asked.pids(part)[0] for part in asked.parts] == before


def test_it_can_be_gone_and_come_back(stack: EmbeddedStack) -> None:
    """`stop` and `start` are for it as for any part; while it is gone, it is not shown."""
    assert stack.stop(CHAT) == 0
    assert CHAT not in [each.part for each in stack.status()]
    with pytest.raises(FAILURES):
        ask(f"{stack.url(CHAT)}/v1/models")
    stack.start(CHAT)
    assert ask(f"{stack.url(CHAT)}/v1/models").status == 200


def test_without_it_nothing_is_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain `make up` has four parts, and an api that is told of no chat server."""
    for name in (ADDRESS, VARIABLE, "STACK"):
        monkeypatch.delenv(name, raising=False)
    for part, port in free_ports().items():
        monkeypatch.setenv(VARIABLES[part], str(port))
    found = current(tmp_path)
    assert found.parts == PARTS
    found.start("api", wait=False)
    try:
        assert ADDRESS not in found.environment("api")
    finally:
        found.stop("api")


def test_one_word_asks_for_it() -> None:
    """CHAT=demo; another word, or a server of the user's own beside it, is refused with the reason."""
    assert asked_parts({}) == asked_parts({VARIABLE: ""}) == PARTS
    assert set(asked_parts({VARIABLE: "demo"})) == {*PARTS, CHAT}
    with pytest.raises(StackError, match="CHAT=gpt: only demo is known; CHAT_URL names a chat server of your own"):
        asked_parts({VARIABLE: "gpt"})
    with pytest.raises(StackError, match="the api has one chat server"):
        asked_parts({VARIABLE: "demo", ADDRESS: "http://127.0.0.1:1/v1"})


def test_on_compose_it_is_a_name_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The api's containers are led to it by the name of its service; a chat server of the user's own stays theirs."""
    monkeypatch.delenv(ADDRESS, raising=False)
    stack = ComposeStack(tmp_path, free_ports(), (*PARTS, CHAT))
    assert stack._with_chat()["api"] == {ADDRESS: "http://chat:8003/v1", "CHAT_MODEL": MODEL}
    monkeypatch.setenv(ADDRESS, "http://127.0.0.1:1/v1")
    assert stack._with_chat()["api"] == {}


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """One in which all parts but the stand-in run."""
    found = Cluster(tmp_path_factory.mktemp("bin"), monkeypatch)
    found.answers("kustomize*", RENDERED)
    found.lists("namespaces")
    found.lists("deployments", *(deployment(part) for part in PARTS))
    found.has(*(pod(f"{part}-1") for part in PARTS))
    found.lists("events")
    found.answers("*get deployment *", deployment("any"))
    return found


def test_in_a_cluster_up_brings_its_component(cluster: Cluster, tmp_path: Path) -> None:
    """With its program; without CHAT=demo it isn't even rendered."""
    made = tmp_path / "run" / "kustomize" / "kustomization.yaml"
    KubernetesStack(tmp_path, parts=("api",)).up()
    assert "chat-demo" not in made.read_text()
    cluster.lists("deployments", *(deployment(part) for part in (*PARTS, CHAT)))
    cluster.has(*(pod(f"{part}-1") for part in (*PARTS, CHAT)))
    KubernetesStack(tmp_path, parts=("api", CHAT)).up()
    assert "components/chat-demo" in made.read_text()
    assert "def application" in cluster.given


def test_in_a_cluster_up_keeps_it(cluster: Cluster, tmp_path: Path) -> None:
    """The api keeps what leads it there as long as the stand-in is deployed, as on every stack."""
    cluster.lists("deployments", *(deployment(part) for part in (*PARTS, CHAT)))
    KubernetesStack(tmp_path, parts=("api",)).up()
    assert "chat-demo" in (tmp_path / "run" / "kustomize" / "kustomization.yaml").read_text()


def test_in_a_cluster_it_starts_beside_what_runs(cluster: Cluster, tmp_path: Path) -> None:
    """Its own objects are applied, without a replica, and then it is started as any part."""
    cluster.answers("*get deployment chat*", deployment(CHAT, 0))
    stack = KubernetesStack(tmp_path)
    stack.start(CHAT, wait=False)
    applied = json.loads(cluster.given)["items"]
    assert [(each["kind"], each["metadata"]["name"]) for each in applied] == [("ConfigMap", CHAT), ("Deployment", CHAT)]
    assert applied[1]["spec"]["replicas"] == 0
    [call] = [call for call in cluster.calls if call.startswith("patch deployment chat")]
    assert json.loads(call.partition("--patch ")[2])["spec"]["replicas"] == 1
    assert stack.chat()[ADDRESS] == "http://chat:8003/v1"
