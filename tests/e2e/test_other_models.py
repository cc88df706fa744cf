"""Five small models of different architectures through the whole system: export, embed, index, search, restart."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stack import EmbeddedStack, free_ports, until
from stack.http import ask
from worker import export

pytestmark = pytest.mark.reference

NAMES = ["bert_mean", "bert_cls", "distilbert", "xlm_roberta", "mpnet"]
SLASHED = "some-org/mpnet.small"  # as the hub names models
BAR = 0.9999  # lowest cosine that the export allows
TEXTS = ["one", " Two words ", "naïve CAFÉ 你好", "The volcano erupts at night. " * 40]


@dataclass(frozen=True)
class Served:
    """A running system with one of the models, and the model as its own library runs it."""

    stack: EmbeddedStack
    setting: str
    reference: Any

    def serve(self, **more: str) -> None:
        """Start the worker anew, with more settings, and wait until the api knows its model."""
        self.stack.stop("worker")
        self.stack.start("worker", environment={"EMBEDDING_MODEL": self.setting, **more})
        until(lambda: self.model == self.listed()["id"], 30, "the api knows the model")

    @property
    def model(self) -> str:
        """The name that clients use."""
        return self.setting if self.setting == SLASHED else Path(self.setting).name

    def listed(self) -> Any:
        """The only model of `/v1/models`."""
        [model] = ask(f"{self.stack.url('api')}/v1/models").json()["data"]
        return model

    def runs(self, engine: str) -> bool:
        """Whether the api knows that this engine serves."""
        return bool(self.listed()["engine"] == engine)

    def post(self, path: str, payload: object, more: dict[str, str] | None = None) -> Any:
        """The JSON of a call that must succeed."""
        answer = ask(f"{self.stack.url('api')}{path}", "POST", payload, timeout=30, more=more or {})
        assert answer.status == 200, answer.body
        return answer.json()

    def vectors(self, more: dict[str, str]) -> Any:
        """The answer to a call with all of `TEXTS`, under this name also by the model's own address."""
        assert ask(f"{self.stack.url('api')}/v1/models/{self.model}").status == 200
        return self.post("/v1/embeddings", {"model": self.model, "input": TEXTS}, more)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Path]]:
    """What EMBEDDING_MODEL is for each model, and its folder; all are exported, one as if the hub had it."""
    from tests.harness import small_models

    root = tmp_path_factory.mktemp("models")
    found = {}
    for name in NAMES:
        folder = root / name
        small_models.FIVE[name](folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EMBEDDING_MODEL", str(folder))
            patch.setenv("ARTIFACTS", str(root / "artifacts"))
            assert export.main([]) == 0
        found[name] = (str(folder), folder)
    artifact = (root / "artifacts" / "mpnet").rename(root / "artifacts" / SLASHED.replace("/", "--"))
    manifest = json.loads((artifact / "manifest.json").read_text())
    (artifact / "manifest.json").write_text(json.dumps({**manifest, "model": SLASHED}))
    return found | {"mpnet": (SLASHED, root / "mpnet")}


@pytest.fixture(scope="module")
def running(settings: dict[str, tuple[str, Path]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The whole system, up with the first of the models."""
    setting, folder = settings[NAMES[0]]
    own = {"ARTIFACTS": str(folder.parent / "artifacts"), "EMBEDDING_MODEL": setting, "DRAIN_SECONDS": "0"}
    own["PRECISION"] = (
        "fp32"  # of a random model bf16 is just within the bar for the texts of the export, or not at all
    )
    with EmbeddedStack(tmp_path_factory.mktemp("stack"), free_ports(), environment=own) as stack:
        yield stack


@pytest.fixture(params=NAMES)
def served(request: pytest.FixtureRequest, settings: dict[str, tuple[str, Path]], running: EmbeddedStack) -> Served:
    """The system with one of the models."""
    from sentence_transformers import SentenceTransformer

    setting, folder = settings[request.param]
    found = Served(running, setting, SentenceTransformer(str(folder), device="cpu"))
    found.serve()
    return found


def tokens(reference: Any, texts: Sequence[str], prompt: str) -> int:
    """How many tokens the model sees."""
    return sum(int(reference.preprocess([prompt + text])["attention_mask"].sum()) for text in texts)


def test_a_model_embeds_indexes_searches_and_restarts(served: Served) -> None:
    """Vectors are those of the model's own library, with the prompts that it chooses; counts are what it sees."""
    reference, prompts = served.reference, served.reference.prompts
    default = prompts.get(reference.default_prompt_name, "")
    kinds = [
        ({}, reference.encode, default),
        ({"X-Prompt": "query"}, reference.encode_query, prompts["query"]),
        ({"X-Prompt": "document"}, reference.encode_document, prompts["document"]),
    ]
    for more, encode, prompt in kinds:
        for _ in ("from the worker", "from the cache"):
            answer = served.vectors(more)
            rows = np.array([each["embedding"] for each in answer["data"]])
            assert (rows * encode(TEXTS, normalize_embeddings=True)).sum(axis=1).min() >= BAR
            assert answer["usage"]["prompt_tokens"] == tokens(reference, TEXTS, prompt)

    texts = [f"{served.model} {number}: {text}" for number, text in enumerate(TEXTS * 4)]
    documents = [{"id": f"{served.model.replace('/', '.')}-{place}", "text": text} for place, text in enumerate(texts)]
    served.post("/v1/documents", {"documents": documents})
    found = served.post("/v1/search", {"query": texts[5], "limit": 100})["results"]
    rows = reference.encode_document(texts, normalize_embeddings=True)
    scores = rows @ reference.encode_query([texts[5]], normalize_embeddings=True)[0]
    expected = {document["id"]: score for document, score in zip(documents, scores, strict=True)}
    # All of this model's documents, and none of another's.
    assert {each["id"]: each["score"] for each in found} == pytest.approx(expected, abs=0.001)

    before = served.listed()
    served.stack.stop("api")
    served.stack.start("api")
    served.serve()
    assert served.listed() == before
    assert served.post("/v1/search", {"query": texts[5], "limit": 100})["results"] == found


def test_documents_are_found_whatever_engine_serves(
    settings: dict[str, tuple[str, Path]], running: EmbeddedStack
) -> None:
    """As behind one Service with two kinds of CPU: each engine finds its own documents and those of the other."""
    served = Served(running, settings[NAMES[0]][0], None)
    listed = []
    for engine in ("onnx", "openvino"):
        served.serve(ENGINE=engine)
        until(partial(served.runs, engine), 30, "the api knows the engine")
        listed.append(served.listed())
        served.post("/v1/documents", {"documents": [{"id": engine, "text": "one text", "metadata": {"of": "engines"}}]})
    found = served.post("/v1/search", {"query": "one text", "filter": {"of": "engines"}})["results"]
    assert {each["id"] for each in found} == {"onnx", "openvino"}
    assert min(each["score"] for each in found) > BAR
    assert listed[0]["space"] == listed[1]["space"]
    assert listed[0]["fingerprint"] != listed[1]["fingerprint"]
