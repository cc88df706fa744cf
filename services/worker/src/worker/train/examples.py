"""Reads labelled texts, and names what is wrong with them by line and field."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from warmstart import Fatal

Label: TypeAlias = str | int | bool

TEXT, LABEL = "text", "label"
MOST = 200_000  # examples: their vectors of 384 numbers take 300 MB, and training as much again
LONGEST = 200  # characters of a label, as of a document's id
LEAST, LARGEST = -(2**63), 2**63 - 1  # of whole numbers as labels: numpy's integers have 64 bits
SHOWN = 5  # of what is wrong
KINDS = {str: "a string", int: "a whole number", bool: "true or false"}
FORM = 'one example a line, {"text": "…", "label": "…"}'


@dataclass(frozen=True)
class Examples:
    """Distinct texts and their labels, all of one kind; `notes` say what of the file was left out."""

    texts: list[str]
    labels: list[Label]
    notes: list[str]

    @property
    def classes(self) -> Counter[Label]:
        """How many texts each label has."""
        return Counter(self.labels)


def read(file: Path, characters: int) -> Examples:
    """The examples of a file of JSON Lines, or of a `.csv` with columns `text` and `label`.

    A text has at most so many `characters`. Raises Fatal for a file that can't be read, for bad lines with their
    numbers, and for less than two classes.
    """
    found: list[tuple[int, str, Label]] = []
    wrong: list[str] = []
    for number, row in _rows(file):
        if len(found) + len(wrong) == MOST:  # before more of them are in memory
            raise Fatal(f"{file} has more than {MOST:,} examples, which is the limit")
        try:
            found.append((number, *_example(row, characters)))
        except (ValueError, RecursionError) as error:
            wrong.append(f"line {number}: {error if not isinstance(error, json.JSONDecodeError) else 'no JSON object'}")
    if wrong:
        raise Fatal(f"{file}: {'; '.join(wrong[:SHOWN])}{_others(len(wrong) - SHOWN)}")
    if not found:
        raise Fatal(f"{file} has no examples: {FORM}")
    _require_one_kind(file, found)
    examples = _distinct(found)
    if len(examples.classes) < 2:
        has = "have the same label" if examples.classes else "have several labels"
        texts = "all texts that are left" if examples.classes and examples.notes else "all texts"
        raise Fatal(f"{file}: {'; '.join([f'{texts} {has}', 'at least two labels are needed', *examples.notes])}")
    return examples


def written(label: Label) -> str:
    """The label as the file has it: true, not True."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _others(count: int) -> str:
    if count < 1:
        return ""
    return "; 1 more line is wrong" if count == 1 else f"; {count} more lines are wrong"


def _rows(file: Path) -> Iterator[tuple[int, Any]]:
    """Line numbers with a line of JSON, or a row of the table."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            if file.suffix.lower() == ".csv":
                table = csv.DictReader(lines, strict=True)
                names = table.fieldnames or ()
                if not {TEXT, LABEL} <= {*names}:
                    raise Fatal(f"{file}, line 1: its columns must be named {TEXT} and {LABEL}, perhaps among others")
                if twice := _twice(names):
                    raise Fatal(f"{file}, line 1: {twice} is there more than once")
                yield from ((table.line_num, row) for row in table)
            else:
                yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    except OSError as error:
        raise Fatal(f"{file} can't be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise Fatal(f"{file} can't be read: {error}") from error


def _twice(names: Sequence[str]) -> str | None:
    """The field of an example that is among the names more than once: nobody can tell which one is meant."""
    return next((each for each in (TEXT, LABEL) if names.count(each) > 1), None)


def _example(row: Any, characters: int) -> tuple[str, Label]:
    """Raises ValueError that names the field, and quotes nothing."""
    fields = _object(row) if isinstance(row, str) else row
    for name in (TEXT, LABEL):
        if fields.get(name) in (None, ""):
            raise ValueError(f"{name} is {'empty' if fields.get(name) == '' else 'missing'}")
    text, label = fields[TEXT], fields[LABEL]
    if not isinstance(text, str):
        raise ValueError(f"{TEXT} must be a string")  # noqa: TRY004 - it is the file's, no caller's
    if type(label) not in KINDS:
        raise ValueError(f"{LABEL} must be a string, a whole number, true or false")
    if isinstance(label, int) and not LEAST <= label <= LARGEST:
        raise ValueError(f"{LABEL} is a whole number outside of {LEAST} to {LARGEST}")
    _check(TEXT, text, characters)
    if isinstance(label, str):
        _check(LABEL, label, LONGEST)
    return text, label


def _object(line: str) -> dict[str, Any]:
    pairs = json.loads(line, object_pairs_hook=tuple)
    if not isinstance(pairs, tuple):
        raise ValueError("no JSON object")  # noqa: TRY004 - as above
    if twice := _twice([name for name, _ in pairs]):
        raise ValueError(f"{twice} is there more than once")
    return dict(pairs)


def _check(name: str, value: str, longest: int) -> None:
    if len(value) > longest:
        raise ValueError(f"{name} has {len(value)} characters; the limit is {longest}")
    if "\0" in value:
        raise ValueError(f"{name} has a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half of a surrogate pair") from None


def _require_one_kind(file: Path, found: list[tuple[int, str, Label]]) -> None:
    """Labels 1 and "1" would be two classes, and an array of both has one kind: strings."""
    first, _, one = found[0]
    for number, _, other in found:
        if type(other) is not type(one):
            kinds = f"that of line {first} is {KINDS[type(one)]}, that of line {number} {KINDS[type(other)]}"
            raise Fatal(f"{file}: {LABEL} must be of one kind: {kinds}")


def _distinct(found: list[tuple[int, str, Label]]) -> Examples:
    """Each text once: its copies would judge what they have trained. One with several labels teaches nothing."""
    lines: dict[str, list[tuple[int, Label]]] = {}
    for number, text, label in found:
        lines.setdefault(text, []).append((number, label))
    disputed = {text for text, places in lines.items() if len({label for _, label in places}) > 1}
    kept = {text: places[0][1] for text, places in lines.items() if text not in disputed}
    copies = sum(len(lines[text]) - 1 for text in kept)
    notes = [f"left out, as copies of earlier lines: {copies}"] if copies else []
    if disputed:
        where = [" and ".join(str(number) for number, _ in lines[text][:SHOWN]) for text in lines if text in disputed]
        more = ", …" if len(where) > SHOWN else ""
        places = f"lines {', '.join(where[:SHOWN])}{more}"
        notes.append(f"left out, as texts with several labels: {len(disputed)} ({places})")
    return Examples([*kept], [*kept.values()], notes)
