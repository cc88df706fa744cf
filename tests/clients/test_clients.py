"""Real clients, given a base URL, a model's name and any key: they embed 300 documents and find one again."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stack import EmbeddedStack, free_ports
from tests.clients import environments
from tests.clients.environments import HERE, NotInstalled

MODEL = "all-MiniLM-L6-v2"
DOCUMENTS = [f"document number {number}" for number in range(300)]
QUICK = {"ENGINE": "fake", "DRAIN_SECONDS": "0"}
LIMIT = 90.0  # seconds; a framework takes 2 to 5 to be imported
PYTHON = ["langchain_texts", "litellm_openai", "llama_index_openai"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The whole system with its default settings, but for an engine that needs no model, and its drain."""
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), free_ports(), environment=QUICK) as running:
        yield running


def installed(install: Callable[[], Path], what: str) -> Path:
    """What `install` gives; where it can't, the test is left out with a reason, unless REQUIRE_CLIENTS is set."""
    try:
        return install()
    except NotInstalled as error:
        if os.environ.get("REQUIRE_CLIENTS"):
            raise
        pytest.skip(f"{what} could not be installed: {error}")


def ask(stack: EmbeddedStack, *argv: str | Path) -> str:
    """What a client prints that is given address and model, and the texts on its standard input."""
    asked = json.dumps({"documents": DOCUMENTS, "query": DOCUMENTS[217]})
    # Nothing of ours helps it: no settings, no modules, and no proxy either.
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [*map(str, argv), f"{stack.url('api')}/v1", MODEL],
        input=asked,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def finds_the_document(printed: str) -> bool:
    """Whether the vectors are those of 300 documents, and the query's is that of the document with its text."""
    documents, query = map(np.array, json.loads(printed.splitlines()[-1]))
    assert documents.shape == (300, 384)
    return int((documents @ query).argmax()) == 217


@pytest.mark.parametrize("client", PYTHON)
def test_a_python_client_works_at_its_defaults(stack: EmbeddedStack, client: str) -> None:
    """It needs to be told nothing but where the api is; LangChain also that it should send texts."""
    python = installed(environments.python, "the Python clients")
    assert finds_the_document(ask(stack, python, HERE / "python" / f"{client}.py"))


def test_langchain_learns_what_to_set(stack: EmbeddedStack) -> None:
    """At its defaults it sends token ids of another vocabulary: the error that it shows names the way out."""
    python = installed(environments.python, "the Python clients")
    printed = ask(stack, python, HERE / "python" / "langchain_ids.py")
    assert "check_embedding_ctx_length=False" in printed


def test_the_client_for_javascript_works_at_its_defaults(stack: EmbeddedStack) -> None:
    """OpenAI's package for node."""
    script = installed(environments.node, "OpenAI's client for JavaScript")
    assert finds_the_document(ask(stack, "node", script))
