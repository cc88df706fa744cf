"""The quality card of an int8 artifact: how near its vectors are to those of fp32; below a bar there is no artifact."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from warmstart import Fatal
from worker.artifact.agreement import embedded, recall, spearman
from worker.artifact.verification import RefusedError
from worker.engines.base import Engine

CARD = "card.json"
RECALL = 0.97  # the lowest recall@10 of an artifact
FEWEST, MOST = 100, 20_000  # texts: among fewer, ten are most of them; among more, the first ones tell as much


class Texts(BaseModel):
    """One set of texts: the cosine of each with its fp32 vector, and how many of its ten nearest by fp32 are found."""

    name: str
    texts: int
    cosine_mean: float
    cosine_min: float
    recall_at_10: float


class Pairs(BaseModel):
    """A labelled set: the rank correlation of cosines with people's scores, at both precisions."""

    name: str
    pairs: int
    spearman_fp32: float
    spearman_int8: float


class Card(BaseModel):
    """What `card.json` has. The figures are of a `cpu` with these instruction sets: another may compute others."""

    model: str
    engine: str
    cpu: list[str]
    calibration_texts: int
    sets: list[Texts]
    labelled: Pairs | None = None
    versions: dict[str, str]

    def table(self) -> str:
        """For people to read."""
        width = max(len(each.name) for each in self.sets)
        lines = [f"{self.model} against fp32, {self.engine}, calibrated on {self.calibration_texts} texts"]
        lines.append(f"  {'':{width}}  texts  cosine, mean  cosine, min  recall@10")
        for each in self.sets:
            cosines = f"{each.cosine_mean:12.4f}  {each.cosine_min:11.4f}"
            lines.append(f"  {each.name:{width}}  {each.texts:5}  {cosines}  {each.recall_at_10:9.3f}")
        if pairs := self.labelled:
            found = f"{pairs.spearman_int8:.4f}, fp32 {pairs.spearman_fp32:.4f}"
            lines.append(f"  {pairs.name}: Spearman's rho over {pairs.pairs} pairs {found}")
        lines.append(f"  measured on a CPU with {' '.join(self.cpu) or 'unknown instructions'}")
        return "\n".join(lines)

    def require_good(self) -> None:
        """Raise RefusedError, with the set, when too few of the nearest neighbours are the same."""
        for each in self.sets:
            if not each.recall_at_10 >= RECALL:
                raise RefusedError(f"{self.model}: recall@10 {each.recall_at_10:.3f} ({each.name}) is below {RECALL}")


def compare(name: str, texts: Sequence[str], exact: Engine, quantized: Engine) -> Texts:
    """The figures of one set."""
    right, found = embedded(exact, texts), embedded(quantized, texts)
    cosines = (right * found).sum(axis=1)
    return Texts(
        name=name,
        texts=len(texts),
        cosine_mean=round(float(cosines.mean()), 5),
        cosine_min=round(float(cosines.min()), 5),
        recall_at_10=round(recall(found, right), 4),
    )


def judge(name: str, pairs: Sequence[tuple[str, str, float]], exact: Engine, quantized: Engine) -> Pairs:
    """The figures of a labelled set."""
    firsts, seconds, scores = zip(*pairs, strict=True)
    rho = [spearman(embedded(engine, firsts), embedded(engine, seconds), scores) for engine in (exact, quantized)]
    return Pairs(name=name, pairs=len(pairs), spearman_fp32=round(rho[0], 4), spearman_int8=round(rho[1], 4))


def read_texts(file: Path) -> list[str]:
    """A user's own texts, each once: one a line, or JSON Lines of strings or of objects with `text`. Raises Fatal."""
    lines = [_json(line) if line[0] in '{"' else line for line in _lines(file)]
    texts = [line.get("text") if isinstance(line, dict) else line for line in lines]
    distinct = list(dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip()))[:MOST]
    if len(distinct) < FEWEST:
        raise Fatal(f"{file}: {len(distinct)} different texts; recall@10 needs {FEWEST} at least, one a line")
    return distinct


def read_pairs(file: Path) -> list[tuple[str, str, float]]:
    """A labelled set: `text<tab>text<tab>score` a line, or JSON Lines of sentence1, sentence2, score. Raises Fatal."""
    pairs = []
    for number, line in enumerate(_lines(file), start=1):
        found = _json(line) if line[0] == "{" else line.split("\t")
        try:
            first, second, score = (
                [found[key] for key in ("sentence1", "sentence2", "score")] if isinstance(found, dict) else found
            )
            pairs.append((str(first), str(second), float(score)))
        except (KeyError, TypeError, ValueError) as error:
            raise Fatal(f"{file}, line {number}: no pair of texts with a score") from error
    if len(pairs) < 3:
        raise Fatal(f"{file}: {len(pairs)} pairs; a correlation needs 3 at least")
    return pairs


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(f"{file} can't be read: {error}") from error


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line
