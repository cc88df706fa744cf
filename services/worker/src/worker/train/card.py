"""The card of a head: what it was trained on, how good it is, and what a start reads of it, sha256 and space."""

from datetime import UTC, datetime

from pydantic import BaseModel

from contract.prompts import DOCUMENT
from worker.artifact.reference import installed
from worker.loading import Loaded
from worker.train.examples import Examples, Label
from worker.train.judging import Scores

TOOLS = ("scikit-learn", "skops", "numpy", "onnxruntime", "openvino", "tokenizers")


class OfLabel(BaseModel):
    """How many examples a class had."""

    label: Label
    examples: int


class HeadCard(BaseModel):
    """What stands beside the file.

    `space` is that of the vectors it takes: of `model`, with its prompt of this name. Without `scores` a class had too
    few examples to be judged.
    """

    sha256: str
    space: str
    model: str
    prompt: str = DOCUMENT
    made: datetime
    labelled: str
    classes: list[OfLabel]
    notes: list[str]
    scores: Scores | None
    versions: dict[str, str]


def card_of(sha256: str, loaded: Loaded, labelled: str, examples: Examples, scores: Scores | None) -> HeadCard:
    """The card of the file with this digest."""
    return HeadCard(
        sha256=sha256,
        space=loaded.space or loaded.fingerprint,
        model=loaded.name,
        made=datetime.now(UTC).replace(microsecond=0),
        labelled=labelled.encode(errors="replace").decode(),  # a file's name need not be UTF-8
        classes=[OfLabel(label=label, examples=count) for label, count in sorted(examples.classes.items())],
        notes=examples.notes,
        scores=scores,
        versions=installed(TOOLS),
    )
