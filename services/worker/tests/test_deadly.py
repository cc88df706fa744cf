"""The fault switch of a query of death, in processes that may die."""

import json
import multiprocessing
from pathlib import Path
from signal import SIGKILL

import pytest

from warmstart.faults import Switches
from worker.deadly import DeadlyText
from worker.engines.fake import FakeEngine

FORK = multiprocessing.get_context("fork")


def compute(file: Path, *texts: str) -> None:
    """What the inference thread does, in this process."""
    switches, engine = Switches(file), FakeEngine()
    switches.read()
    DeadlyText(switches).before_pass(engine, engine.encode(texts))


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (["an innocent text"], 0),
        (["an innocent text", "of all things the deadly words are in here"], -SIGKILL),
        (["words deadly", "the deadly", "words"], 0),
    ],
)
def test_a_text_that_holds_the_switch_kills_its_process(texts: list[str], code: int, tmp_path: Path) -> None:
    """The pass of any batch with such a text ends the process by SIGKILL; no other pass does."""
    file = tmp_path / "faults"
    file.write_text(json.dumps({"deadly_text": "the deadly words"}))
    process = FORK.Process(target=compute, args=(file, *texts))
    process.start()
    process.join(10)
    assert process.exitcode == code


def test_without_the_switch_no_text_is_deadly(tmp_path: Path) -> None:
    """An empty marker is in no text."""
    compute(tmp_path / "faults", "any text")
