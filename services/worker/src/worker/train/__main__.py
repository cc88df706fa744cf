"""`python -m worker.train labelled.jsonl`: trains a head on labelled texts, which a worker serves as its `PREDICTOR`.

A line is {"text": "…", "label": "…"}; a file that ends in .csv has columns text and label.
"""

import argparse
import importlib.util
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from contract.prompts import DOCUMENT
from warmstart import Fatal
from warmstart.settings.service import load as load_settings
from worker.artifact.agreement import embedded
from worker.engines.base import Vectors
from worker.loading import Loaded, load
from worker.settings import WorkerSettings
from worker.train.card import HeadCard, card_of
from worker.train.examples import Examples, read, written
from worker.train.judging import FOLDS, Labels, Scores, cross_validated, fit, folds_of
from worker.train.progress import step
from worker.train.saving import require_free, save
from worker.warmup import warm_up

log = logging.getLogger("worker.train")

HEADS = Path(".warmstart/heads")
LISTED = 20  # classes


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when the head is there, 3 when it can't be made, 130 when it was interrupted."""
    parser = argparse.ArgumentParser(prog="python -m worker.train", description=__doc__)
    parser.add_argument("labelled", type=Path, metavar="FILE", help="labelled texts: JSON Lines, or .csv")
    place = f"file of the head ({HEADS}/NAME.skops); its folder is made if it is missing"
    parser.add_argument("--output", type=Path, metavar="HEAD", help=place)
    parser.add_argument(
        "--replace", action="store_true", help="replace a head that is there; workers load it when they start next"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    target = options.output or HEADS / f"{options.labelled.stem}.skops"
    try:
        train(options.labelled, target, load_settings(WorkerSettings), replace=options.replace)
    except Fatal as error:
        log.error("no head: %s", error)
        return 3
    except KeyboardInterrupt:
        log.error("interrupted: no head was written")
        return 130
    log.info("A worker serves it with PREDICTOR=%s", target.absolute())
    return 0


def train(labelled: Path, target: Path, settings: WorkerSettings, *, replace: bool) -> None:
    """Make the head of a file of labelled texts. Raises Fatal."""
    missing = [name for name in ("sklearn", "skops") if importlib.util.find_spec(name) is None]
    if missing:
        raise Fatal("training needs scikit-learn and skops: make install-predictor")
    require_free(target, replace=replace)
    with step(log.info, f"reading {labelled}"):
        examples = read(labelled, settings.max_text_characters)
    _tell(examples)
    with step(log.info, f"loading the model {settings.embedding_model}"):
        loaded = load(settings)
        _require_right(loaded, settings)
    rows, labels = _embedded(loaded, examples), np.array(examples.labels)
    scores = _judged(rows, labels, examples)
    with step(log.info, "training on all of them"):
        head = fit(rows, labels)
    with step(log.info, "writing the head, and proving it as a worker's start does"):

        def card(sha256: str) -> HeadCard:
            return card_of(sha256, loaded, labelled.name, examples, scores)

        save(head, rows, card, target, settings, replace=replace)
    log.info("wrote %s, and its card %s.json", target, target.name)


def _require_right(loaded: Loaded, settings: WorkerSettings) -> None:
    """Raise Fatal for a machine that computes other vectors than the export's, as a start does."""
    if loaded.known is not None:
        every = loaded.engine.lengths
        warm_up(loaded.engine, settings.max_batch_tokens, loaded.known)
        loaded.engine.lengths = every  # a start adds them one by one


def _tell(examples: Examples) -> None:
    for note in examples.notes:
        log.warning("note: %s", note)
    classes = [f"{written(label)} {count}" for label, count in examples.classes.most_common(LISTED)]
    more = ", …" if len(examples.classes) > LISTED else ""
    log.info("%d texts, %d classes: %s%s", len(examples.texts), len(examples.classes), ", ".join(classes), more)


def _embedded(loaded: Loaded, examples: Examples) -> Vectors:
    """Behind the prompt of documents, as the api sends them."""
    engine, before, count = loaded.engine, loaded.prompts.text(DOCUMENT, "prompt"), len(examples.texts)
    with step(log.info, f"embedding them with {loaded.name}, by {engine.name} {engine.precision}") as under_way:

        def done(texts: int) -> None:
            under_way.note = f"{texts} of {count} texts"

        return embedded(engine, [before + text for text in examples.texts], done)


def _judged(rows: Vectors, labels: Labels, examples: Examples) -> Scores | None:
    label, fewest = examples.classes.most_common()[-1]
    folds = folds_of([*examples.classes.values()])
    if not folds:
        log.warning("not cross-validated: %s has one example, and each class needs two at least", written(label))
        return None
    if folds < FOLDS:
        log.warning("%d folds instead of %d: %s has %d examples", folds, FOLDS, written(label), fewest)
    with step(log.info, "cross-validating") as under_way:
        scores = cross_validated(rows, labels, folds, lambda note: setattr(under_way, "note", note))
    log.info("%s", scores.table())
    return scores


if __name__ == "__main__":
    sys.exit(main())
