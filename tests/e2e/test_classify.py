"""A head is trained on labelled texts, served, and classifies: real model, real Postgres, real Valkey."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stack import EmbeddedStack, free_ports, until
from stack.http import Answer, ask
from stack.site import REPOSITORY

LABELLED = REPOSITORY / "tests" / "data" / "labelled.jsonl"
NEW = {
    "Why was my card charged twice?": "billing",
    "The courier never came.": "delivery",
    "I forgot the password of my login.": "account",
}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a head, trained as docs/classify.md says."""
    file: Path = tmp_path_factory.mktemp("heads") / "tickets.skops"
    command = [sys.executable, "-m", "worker.train", str(LABELLED), "--output", str(file)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert f"PREDICTOR={file}" in done.stderr
    return file


@pytest.fixture(scope="module")
def system(head: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A system that serves it."""
    environment = {"PREDICTOR": str(head), "CLASSIFY_DOCUMENTS": "1", "DRAIN_SECONDS": "0"}
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), free_ports(), environment=environment) as running:
        yield running


def post(system: EmbeddedStack, path: str, payload: object) -> Answer:
    """A call of the api."""
    return ask(f"{system.url('api')}{path}", "POST", payload, timeout=30)


def store(system: EmbeddedStack, name: str, text: str) -> Any:
    """Store a document; returns its metadata."""
    answer = post(system, "/v1/documents", {"documents": [{"id": name, "text": text}]})
    assert answer.json() == {"ids": [name]}, answer.body
    return ask(f"{system.url('api')}/v1/documents/{name}").json()["metadata"]


def test_new_texts_have_the_right_labels(system: EmbeddedStack, head: Path) -> None:
    """Each its own, by a head that says its name and its file's sha256."""
    answer = post(system, "/v1/classify", {"texts": [*NEW], "scores": True}).json()
    assert [each["label"] for each in answer["results"]] == [*NEW.values()]
    assert all(each["score"] == max(each["scores"].values()) > 0.5 for each in answer["results"])
    told = ask(f"{system.url('worker')}/model").json()["predictor"]
    assert (answer["model"], answer["fingerprint"]) == ("tickets", told["sha256"])
    again = post(system, "/v1/classify", {"texts": [*NEW], "scores": True})
    assert again.json() == answer  # from the cache


def test_documents_are_found_by_the_label_of_their_text(system: EmbeddedStack) -> None:
    """It filters searches, and is the same when a document is stored again."""
    for _ in range(2):
        for number, (text, label) in enumerate(NEW.items()):
            assert store(system, f"ticket-{number}", text) == {"label": label}
    found = post(system, "/v1/search", {"query": "help", "filter": {"label": "delivery"}}).json()["results"]
    assert [each["id"] for each in found] == ["ticket-1"]


def test_a_head_may_be_rolled_back_and_out_again(system: EmbeddedStack) -> None:
    """Without it classify is a typed 503 that names PREDICTOR, and documents are stored without a label."""
    system.stop("worker")
    system.start("worker", environment={"PREDICTOR": ""})
    refused = partial(post, system, "/v1/classify", {"texts": ["a"]})
    until(lambda: b"PREDICTOR names its file" in refused().body, 30, "the roll-back", lambda: refused().body)
    assert refused().status == 503
    assert store(system, "later", "The courier never came today.") == {}
    system.stop("worker")
    system.start("worker")
    until(lambda: post(system, "/v1/classify", {"texts": ["a"]}).status == 200, 30, "the rollout")
    assert store(system, "later", "The courier never came today.") == {"label": "delivery"}
