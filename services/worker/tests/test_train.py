"""`python -m worker.train`: a head from labelled texts, its card and its scores; nothing else is ever left or lost."""

import errno
import importlib.util
import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.prompts import Prompts
from stack import until
from warmstart import Fatal
from worker.engines.fake import FakeEngine
from worker.loading import Loaded
from worker.loading import load as load_model
from worker.predictor.loading import load
from worker.settings import WorkerSettings
from worker.train import saving
from worker.train.__main__ import main
from worker.train.judging import folds_of
from worker.train.progress import step
from worker.warmup import known_vectors

WORDS = {"fruit": ("apple", "pear", "plum"), "tool": ("saw", "hammer", "file")}
FOLDER = ".warmstart/heads"


def labelled(file: Path, each: int = 6) -> Path:
    """A file with so many texts of each class, which the fake engine can't tell apart: no two of its vectors agree."""
    lines = [
        {"text": f"{words[number % 3]} {number}", "label": label}
        for number in range(each)
        for label, words in WORDS.items()
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the fake engine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENGINE", "fake")
    return tmp_path


def settings(**changes: Any) -> WorkerSettings:
    """Of a worker with the fake engine."""
    return WorkerSettings(**{"engine": "fake", **changes})


def test_it_makes_a_head_that_a_worker_serves(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """For the space of the model, with the classes of the file; it prints the setting that serves it."""
    assert main([str(labelled(here / "mine.jsonl"))]) == 0
    file = here / FOLDER / "mine.skops"
    assert f"PREDICTOR={file}" in caplog.messages[-1]
    info = load(file, settings()).info
    loaded = load_model(settings())
    assert (info.name, info.classes, info.features) == ("mine", ("fruit", "tool"), 384)
    assert info.space == (loaded.space or loaded.fingerprint)
    assert {each.name for each in (here / FOLDER).iterdir()} == {"mine.skops", "mine.skops.json"}


def test_the_card_says_what_the_head_was_made_of(here: Path) -> None:
    """Examples of each class, scores, model, versions, date, and the file's sha256."""
    assert main([str(labelled(here / "mine.jsonl")), "--output", "head.skops"]) == 0
    card = json.loads((here / "head.skops.json").read_text())
    assert card["sha256"] == sha256((here / "head.skops").read_bytes()).hexdigest()
    assert card["classes"] == [{"label": "fruit", "examples": 6}, {"label": "tool", "examples": 6}]
    assert (card["scores"]["folds"], len(card["scores"]["accuracy_by_fold"])) == (5, 5)
    assert (card["model"], card["prompt"], card["labelled"]) == ("all-MiniLM-L6-v2", "document", "mine.jsonl")
    assert {"scikit-learn", "skops"} <= card["versions"].keys()
    assert card["made"].endswith("Z")


def test_a_labelled_file_may_have_any_name(here: Path) -> None:
    """One that is not UTF-8 stands on the card with a question mark."""
    file = labelled(here / os.fsdecode(b"caf\xe9.jsonl"))
    assert main([str(file), "--output", "head.skops"]) == 0
    assert json.loads((here / "head.skops.json").read_text())["labelled"] == "caf?.jsonl"


def test_each_step_is_said(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In order, with the table of scores."""
    caplog.set_level("INFO", "worker.train")
    assert main([str(labelled(here / "mine.jsonl"))]) == 0
    said = "\n".join(caplog.messages)
    steps = [
        "reading",
        "12 texts, 2 classes",
        "loading",
        "embedding",
        "cross-validating",
        "accuracy",
        "training",
        "wrote",
    ]
    places = [said.index(each) for each in steps]
    assert places == sorted(places)


def test_a_step_that_takes_long_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, with its note."""
    monkeypatch.setattr("worker.train.progress.EVERY", 0.01)
    said: list[str] = []
    with step(said.append, "counting") as under_way:
        under_way.note = "2 of 9"
        until(lambda: len(said) > 2, 10, "two more lines")
    assert said[0] == "counting"
    assert said[2].endswith(" s 2 of 9")


@pytest.mark.parametrize(("sizes", "folds"), [([9, 5], 5), ([9, 3], 3), ([9, 2], 2), ([9, 1], 0)])
def test_the_smallest_class_decides_the_folds(sizes: list[int], folds: int) -> None:
    """Each fold needs one of it."""
    assert folds_of(sizes) == folds


@pytest.mark.parametrize(("each", "says"), [(2, "2 folds instead of 5: "), (1, "not cross-validated: ")])
def test_few_examples_are_said(here: Path, caplog: pytest.LogCaptureFixture, each: int, says: str) -> None:
    """The head is made all the same, and its card has no scores where there are none."""
    assert main([str(labelled(here / "mine.jsonl", each))]) == 0
    assert any(message.startswith(says) for message in caplog.messages)
    scores = json.loads((here / FOLDER / "mine.skops.json").read_text())["scores"]
    assert (scores is None) == (each == 1)


def test_a_head_that_is_there_is_never_overwritten_unasked(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It may be served: only with --replace there is another one in its place, with a card of its own."""
    file = labelled(here / "mine.jsonl")
    assert main([str(file)]) == 0
    head = here / FOLDER / "mine.skops"
    before = head.read_bytes()
    assert main([str(file)]) == 3
    assert "say --replace" in caplog.messages[-1]
    assert head.read_bytes() == before
    labelled(file, 8)
    assert main([str(file), "--replace"]) == 0
    assert head.read_bytes() != before
    assert load(head, settings()).info.classes == ("fruit", "tool")


@pytest.mark.parametrize("more", [[], ["--replace"]])
@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("folder", "folder is a folder: name a file with --output"),
        ("mine.jsonl/head.skops", "mine.jsonl/head.skops can't be written: Not a directory"),
        (f"{'a' * 300}.skops", ".skops can't be written: File name too long"),
    ],
    ids=["a folder", "below a file", "a long name"],
)
def test_a_place_that_can_not_be_written_is_found_first(
    here: Path, caplog: pytest.LogCaptureFixture, output: str, says: str, more: list[str]
) -> None:
    """Before texts are read and embedded, which may take an hour."""
    caplog.set_level("INFO", "worker.train")
    (here / "folder").mkdir()
    assert main([str(labelled(here / "mine.jsonl")), "--output", output, *more]) == 3
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith(says)
    assert {each.name for each in here.rglob("*")} == {"folder", "mine.jsonl"}


def test_the_heads_folder_is_made(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is missing, as --help says."""
    assert main([str(labelled(here / "mine.jsonl")), "--output", "a/b/head.skops"]) == 0
    assert (here / "a/b/head.skops").exists()
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "its folder is made if it is missing" in " ".join(capsys.readouterr().out.split())


def test_booleans_are_written_as_in_the_file(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Classes are true and false, in the counts, in notes and in the table of scores."""
    caplog.set_level("INFO", "worker.train")
    lines = [json.dumps({"text": str(number), "label": number % 3 == 0}) for number in range(8)]
    (here / "mine.jsonl").write_text("\n".join(lines))
    assert main([str(here / "mine.jsonl")]) == 0
    said = "\n".join(caplog.messages)
    assert "2 classes: false 5, true 3" in said
    assert "3 folds instead of 5: true has 3 examples" in said
    assert "\n  true " in said
    assert not {"True", "False"} & {*said.split()}


def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links."""

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


def test_a_head_never_stands_without_its_card(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card is there first, so a training that is killed between the two leaves nothing to serve."""
    linked, link = list[str](), Path.hardlink_to

    def note(self: Path, target: Path) -> None:
        linked.append(self.name)
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", note)
    assert main([str(labelled(here / "mine.jsonl"))]) == 0
    assert linked == ["mine.skops.json", "mine.skops"]


def test_a_file_system_may_have_no_hard_links(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Head and card are moved to their places."""
    no_links(monkeypatch)
    assert main([str(labelled(here / "mine.jsonl"))]) == 0
    assert load(here / FOLDER / "mine.skops", settings()).info.classes == ("fruit", "tool")
    assert {each.name for each in (here / FOLDER).iterdir()} == {"mine.skops", "mine.skops.json"}


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_head_that_appears_meanwhile_is_not_overwritten(
    here: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Somebody else's, written while this one was trained; nothing else is left."""
    if not links:
        no_links(monkeypatch)
    head, prove = here / "head.skops", saving._prove

    def write(*given: Any) -> None:
        prove(*given)
        head.write_text("another's")

    monkeypatch.setattr(saving, "_prove", write)
    assert main([str(labelled(here / "mine.jsonl")), "--output", str(head)]) == 3
    assert head.read_text() == "another's"
    assert {each.name for each in here.iterdir()} == {"head.skops", "mine.jsonl"}


def test_what_a_start_would_refuse_is_not_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A head that was there stays, even with --replace."""
    file = labelled(here / "mine.jsonl")
    assert main([str(file)]) == 0
    before = (here / FOLDER / "mine.skops").read_bytes()

    def refuse(*_: Any) -> None:
        raise Fatal("a start would refuse it")

    monkeypatch.setattr(saving, "load", refuse)
    assert main([str(file), "--replace"]) == 3
    assert caplog.messages[-1] == "no head: a start would refuse it"
    assert (here / FOLDER / "mine.skops").read_bytes() == before
    assert len([*(here / FOLDER).iterdir()]) == 2


WAITING = """
import sys
from worker.train import {module}
def wait(*_, **__):
    print("there", flush=True)
    __import__("time").sleep(60)
{module}.{name} = wait
from worker.train.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("module", "name"), [("examples", "_distinct"), ("saving", "_prove")])
def test_an_interruption_leaves_nothing(here: Path, told: signal.Signals, module: str, name: str) -> None:
    """Ctrl-C and SIGTERM, early or when the file is written but not in its place: status 130, and no file."""
    file = labelled(here / "mine.jsonl")
    program = WAITING.format(module=module, name=name)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "there\n"
        process.send_signal(told)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr.splitlines()[-1]) == (130, "interrupted: no head was written")
    assert [each for each in here.rglob("*") if each.is_file()] == [file]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_between_card_and_head_is_too_late(
    here: Path, monkeypatch: pytest.MonkeyPatch, told: signal.Signals
) -> None:
    """The new card has its new head; with the old one, no worker would start."""
    file, replace = labelled(here / "mine.jsonl"), Path.replace
    assert main([str(file)]) == 0

    def replace_and_tell(self: Path, target: Path) -> Path:
        moved = replace(self, target)
        if moved.suffix == ".json":
            os.kill(os.getpid(), told)
        return moved

    monkeypatch.setattr(Path, "replace", replace_and_tell)
    assert main([str(labelled(file, 8)), "--replace"]) == 0
    head = here / FOLDER / "mine.skops"
    assert load(head, settings()).info.sha256 == sha256(head.read_bytes()).hexdigest()
    assert json.loads((here / FOLDER / "mine.skops.json").read_text())["classes"][0]["examples"] == 8


def test_without_scikit_learn_the_command_is_named(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before anything is read."""
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "skops" else find(name))
    assert main([str(here / "none")]) == 3
    assert "make install-predictor" in caplog.messages[-1]


def test_the_texts_get_the_prompt_of_documents(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the api puts it before those that it classifies."""
    seen: list[str] = []

    class Engine(FakeEngine):
        def encode(self, texts: Any) -> Any:
            seen.extend(texts)
            return super().encode(texts)

    prompts = Prompts(texts={"document": "passage: "})
    monkeypatch.setattr("worker.train.__main__.load", lambda _: Loaded(Engine(), "m", "0" * 64, prompts=prompts))
    assert main([str(labelled(here / "mine.jsonl"))]) == 0
    assert {text.split()[0] for text in seen} == {"passage:"}


class Nan(FakeEngine):
    """Its vectors are no numbers."""

    def embed(self, batch: Any) -> Any:
        """As the fake engine does, but for the numbers."""
        return super().embed(batch) * np.float32("nan")


@pytest.mark.parametrize(
    ("loaded", "why"),
    [
        (Loaded(FakeEngine(), "m", "0" * 64, known=-known_vectors(FakeEngine())), "computes other vectors"),
        (Loaded(Nan(), "m", "0" * 64), "gives no finite vector"),
    ],
    ids=["of another machine", "no numbers"],
)
def test_vectors_that_a_start_refuses_make_no_head(
    here: Path, loaded: Loaded, why: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A head would learn from them, and its card name the model's space all the same."""
    monkeypatch.setattr("worker.train.__main__.load", lambda _: loaded)
    assert main([str(labelled(here / "mine.jsonl"))]) == 3
    assert caplog.messages[-1].startswith("no head: ")
    assert why in caplog.messages[-1]
    assert not (here / FOLDER).exists()
