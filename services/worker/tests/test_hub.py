"""A model of the hub: the export fetches it, a start doesn't, and without internet one line says what to do."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from warmstart import Fatal
from worker.artifact.manifest import Manifest
from worker.hub import HubModel, fetch, fetched, hub_model, needed
from worker.loading import load
from worker.model_files import KNOWN, locate, wanted
from worker.settings import WorkerSettings

NAME, COMMIT = "some-org/tiny.model", "0123456789abcdef0123456789abcdef01234567"
OF_THE_PIPELINE = ("modules.json", "1_Pooling/config.json", "config_sentence_transformers.json")


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub's protocol as is asked for, for one model of one commit."""

    folder: Path
    status: int | None = None  # of every answer, when it fails
    failing: tuple[str, ...] = ()  # files that it has, and can't give now

    def do_HEAD(self) -> None:
        """Tell a file's size, version and commit."""
        self._answer(with_body=False)

    def do_GET(self) -> None:
        """Give a file, or a list of all files."""
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        """Be silent."""

    def _answer(self, *, with_body: bool) -> None:
        if self.status:
            self.send_response(self.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path = self.path.partition("?")[0]
        files = [file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file()]
        if path.endswith(self.failing):
            self.send_response(403)  # which the client doesn't try again
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path.startswith(f"/{NAME}/resolve/{COMMIT}/"):
            body = (self.folder / path.split(COMMIT + "/")[1]).read_bytes()
        elif path in (f"/api/models/{NAME}", f"/api/models/{NAME}/revision/v1", f"/api/models/{NAME}/revision/main"):
            told = {"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]}
            body = json.dumps(told).encode()
        elif path == f"/api/models/{NAME}/tree/{COMMIT}":
            read = {file: (self.folder / file).read_bytes() for file in files}
            tree = [{"type": "file", "path": file, "size": len(b), "oid": digest(b)} for file, b in read.items()]
            body = json.dumps(tree).encode()
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        for name, value in {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{digest(body)}"',
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def digest(content: bytes) -> str:
    """What tells the versions of a file."""
    return hashlib.sha256(content).hexdigest()[:40]


@contextmanager
def serving(folder: Path, status: int | None = None, failing: tuple[str, ...] = ()) -> Iterator[str]:
    """The URL of a hub that has the folder's files."""
    handler = type("OfFolder", (Hub,), {"folder": folder, "status": status, "failing": failing})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def export(model: str, endpoint: str, tmp_path: Path) -> tuple[int, str]:
    """Exit status and errors of `python -m worker.export`, in a process that knows this hub only."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "ARTIFACTS": str(tmp_path / "artifacts")}
    command = [sys.executable, "-m", "worker.export", "--engines", "onnx"]
    done = subprocess.run(
        command,
        env={**known, **own, "EMBEDDING_MODEL": model},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stderr


def test_the_export_fetches_and_a_start_needs_only_the_artifact(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name and revision; what was fetched is also there for sentence-transformers, and for an export offline."""
    small.roberta(tmp_path / "tiny", prompts=small.PROMPTS)
    (tmp_path / "tiny" / "onnx").mkdir()
    (tmp_path / "tiny" / "onnx" / "model.bin").write_bytes(b"for others")
    with serving(tmp_path / "tiny") as endpoint:
        status, errors = export(f"{NAME}@v1", endpoint, tmp_path)
    assert status == 0, errors
    artifacts = tmp_path / "artifacts"
    manifest = Manifest.read(artifacts / "some-org--tiny.model@v1")
    assert manifest
    assert (manifest.model, manifest.revision) == (NAME, COMMIT)
    loaded = load(WorkerSettings(embedding_model=f"{NAME}@v1", artifacts=artifacts))
    assert (loaded.name, loaded.engine.name, loaded.prompts.texts) == (NAME, "onnx", small.PROMPTS)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    itself = load(WorkerSettings(embedding_model=f"{NAME}@v1", engine="sentence-transformers"))
    assert itself.name == NAME
    assert not list((tmp_path / "hf").rglob("onnx"))
    with pytest.raises(Fatal, match=r"EMBEDDING_MODEL=some-org/tiny\.model is no folder here, and no model that was"):
        load(WorkerSettings(embedding_model=NAME, artifacts=tmp_path))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("some-org/another", "does not give it"),
        (f"{NAME}@nosuch", "does not give it"),
    ],
)
def test_what_the_hub_does_not_have_is_one_line(tmp_path: Path, model: str, why: str) -> None:
    """Exit status 3, and a line with the model's name."""
    with serving(tmp_path) as endpoint:
        status, errors = export(model, endpoint, tmp_path)
    assert status == 3
    [last] = [line for line in errors.splitlines() if line.startswith("no artifact: ")]
    assert f"EMBEDDING_MODEL={model}" in last
    assert why in last
    assert errors.splitlines()[-1] == last


def test_without_internet_one_line_says_what_to_do(tmp_path: Path) -> None:
    """At once, and for a commit too."""
    status, errors = export(f"BAAI/bge-small-en-v1.5@{COMMIT}", "http://127.0.0.1:9", tmp_path)
    assert status == 3
    [_, last] = errors.splitlines()
    assert "http://127.0.0.1:9 can't be reached" in last
    assert "make artifact EMBEDDING_MODEL=BAAI/bge-small-en-v1.5" in last
    assert "may also be a folder" in last


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model that a hub can serve; this process has an empty cache, and may fetch."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._tree_cache._IN_MEMORY_TREE_CACHE", {})
    (tmp_path / "mine" / "1_Pooling").mkdir(parents=True)
    for file in (*OF_THE_PIPELINE, "config.json", "model.safetensors"):
        (tmp_path / "mine" / file).write_text(f'{{"file": "{file}"}}')
    return tmp_path / "mine"


@contextmanager
def asked(monkeypatch: pytest.MonkeyPatch, *served: Any, **how: Any) -> Iterator[str]:
    """The hub that this process asks."""
    with serving(*served, **how) as endpoint:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        files = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
        yield endpoint


@pytest.mark.parametrize("status", [429, 500, 503])
def test_while_the_hub_fails_what_was_fetched_before_is_found(
    mine: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """As without a way to it; what wasn't fetched is refused with the hub's status."""
    with asked(monkeypatch, mine):
        folder = fetch(HubModel(NAME, None))
    with asked(monkeypatch, mine, status) as endpoint:
        assert fetch(HubModel(NAME, None)) == fetched(HubModel(NAME, None)) == folder
        with pytest.raises(Fatal, match=f"EMBEDDING_MODEL=some-org/another: {endpoint} answers {status}"):
            fetch(HubModel("some-org/another", None))


@pytest.mark.parametrize("failing", OF_THE_PIPELINE)
def test_a_model_that_was_fetched_in_part_is_none(mine: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """Without its modules it would pool differently, without its prompts embed other texts; the next fetch ends it."""
    model = HubModel(NAME, None)
    with asked(monkeypatch, mine, failing=(failing,)), pytest.raises(Fatal, match=f"EMBEDDING_MODEL={NAME}: "):
        fetch(model)
    with pytest.raises(Fatal, match=f"EMBEDDING_MODEL={NAME}: fetched in part, without {failing}"):
        fetched(model)
    with asked(monkeypatch, mine):
        folder = fetch(model)
    assert (folder / failing).read_bytes() == (mine / failing).read_bytes()
    assert fetched(model) == folder


def test_a_model_that_another_library_fetched_needs_its_modules(mine: Path) -> None:
    """transformers fetches what it reads: a model of sentence-transformers without pooling and prompts."""
    snapshot = mine.parent / "hub" / "models--some-org--tiny.model" / "snapshots" / COMMIT
    (snapshot.parent.parent / "refs").mkdir(parents=True)
    (snapshot.parent.parent / "refs" / "main").write_text(COMMIT)
    snapshot.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        (snapshot / file).write_bytes((mine / file).read_bytes())
    with pytest.raises(Fatal, match=r"fetched in part, without modules\.json"):
        fetched(HubModel(NAME, None))
    (snapshot / "modules.json").write_text("[]")
    assert fetched(HubModel(NAME, None)) == snapshot


def test_a_model_that_has_no_modules_needs_none(mine: Path) -> None:
    """sentence-transformers asked the hub for them when it fetched the model, and the hub's cache notes that."""
    model = mine.parent / "hub" / "models--some-org--tiny.model"
    for folder in ("refs", f"snapshots/{COMMIT}", f".no_exist/{COMMIT}"):
        (model / folder).mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    (model / ".no_exist" / COMMIT / "modules.json").touch()
    for file in ("config.json", "model.safetensors"):
        (model / "snapshots" / COMMIT / file).write_bytes((mine / file).read_bytes())
    assert fetched(HubModel(NAME, None)) == model / "snapshots" / COMMIT


def test_a_name_of_the_hub_is_told_from_a_path() -> None:
    """Two parts, and perhaps a revision."""
    assert hub_model("BAAI/bge-small-en-v1.5") == HubModel("BAAI/bge-small-en-v1.5", None)
    assert hub_model("a/b@refs/pr/1") == HubModel("a/b", "refs/pr/1")
    assert [hub_model(text) for text in ("name", "/a/b", "a/b/c", "../b", "a/b@", "a/b c")] == [None] * 6


def test_the_default_model_is_known_by_its_name_in_the_hub() -> None:
    """It is never fetched: its package is installed."""
    assert locate("sentence-transformers/all-MiniLM-L6-v2") == locate("all-MiniLM-L6-v2")
    assert wanted("sentence-transformers/all-MiniLM-L6-v2").name in KNOWN


def test_of_a_repository_only_what_is_read_is_fetched() -> None:
    """Weights once, safetensors if there are any; no graphs for other libraries."""
    read = ["config.json", "model.safetensors", "vocab.txt", "1_Pooling/config.json", "2_Dense/pytorch_model.bin"]
    others = ["pytorch_model.bin", "README.md", "onnx/model.onnx", "onnx/config.json", "openvino/openvino_model.bin"]
    assert needed([*read, *others]) == read
    assert needed(["pytorch_model.bin", "config.json"]) == ["pytorch_model.bin", "config.json"]
