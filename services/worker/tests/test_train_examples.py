"""The labelled file of `python -m worker.train`: what is wrong with it is named by line and field."""

import json
from pathlib import Path
from typing import Any

import pytest

from warmstart import Fatal
from worker.train.examples import MOST, read


def written(file: Path, *lines: object) -> Path:
    """A file of these lines, as JSON unless they are text."""
    file.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines))
    return file


GOOD: tuple[dict[str, Any], ...] = ({"text": "a", "label": "x"}, {"text": "b", "label": "y"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 3: no JSON object"),
        ("[]", "line 3: no JSON object"),
        ("7", "line 3: no JSON object"),
        ("[" * 100_000, "line 3: "),
        ({"label": "x"}, "line 3: text is missing"),
        ({"text": None, "label": "x"}, "line 3: text is missing"),
        ({"text": "", "label": "x"}, "line 3: text is empty"),
        ({"text": "c"}, "line 3: label is missing"),
        ({"text": "c", "label": ""}, "line 3: label is empty"),
        ({"text": 7, "label": "x"}, "line 3: text must be a string"),
        ({"text": "c", "label": 0.5}, "line 3: label must be a string, a whole number, true or false"),
        ({"text": "c", "label": ["x"]}, "line 3: label must be a string"),
        (
            {"text": "c", "label": 2**63},
            "line 3: label is a whole number outside of -9223372036854775808 to 9223372036854775807",
        ),
        ('{"text": "c", "label": "x", "label": "y"}', "line 3: label is there more than once"),
        ('{"text": "c", "text": "d", "label": "y"}', "line 3: text is there more than once"),
        ({"text": "c\0", "label": "x"}, "line 3: text has a NUL character"),
        ({"text": "c", "label": "\ud800"}, "line 3: label has half of a surrogate pair"),
        ({"text": "c" * 101, "label": "x"}, "line 3: text has 101 characters; the limit is 100"),
        ({"text": "c", "label": "x" * 201}, "line 3: label has 201 characters; the limit is 200"),
        (
            {"text": "c", "label": 1},
            "label must be of one kind: that of line 1 is a string, that of line 3 a whole number",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, says: str) -> None:
    """By its number and its field; what it holds is not quoted."""
    with pytest.raises(Fatal) as raised:
        read(written(tmp_path / "texts.jsonl", *GOOD, line), 100)
    assert says in str(raised.value)


def test_all_that_is_wrong_is_counted(tmp_path: Path) -> None:
    """The first lines are named, the others counted."""
    for count, says in ((8, "; 3 more lines are wrong"), (6, "; 1 more line is wrong"), (5, "")):
        with pytest.raises(Fatal, match=rf"line 1: .*; line 5: no JSON object{says}$"):
            read(written(tmp_path / "texts.jsonl", *["{"] * count), 100)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], r"has no examples: one example a line, {"),
        (["", "  "], "has no examples"),
        ([GOOD[0]], ": all texts have the same label; at least two labels are needed$"),
        ([GOOD[0], {"text": "b", "label": "x"}], ": all texts have the same label; at least two labels are needed$"),
        (
            [*GOOD, {"text": "b", "label": "x"}],
            ": all texts that are left have the same label; .*; left out, as texts with several labels: 1",
        ),
        ([GOOD[0], {"text": "a", "label": "y"}], r": all texts have several labels; .* \(lines 1 and 2\)$"),
    ],
)
def test_what_makes_no_classifier_is_refused(tmp_path: Path, lines: list[object], says: str) -> None:
    """No examples, or one class."""
    with pytest.raises(Fatal, match=says):
        read(written(tmp_path / "texts.jsonl", *lines), 100)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """One that is missing, too."""
    (tmp_path / "texts.jsonl").write_bytes(b"\xff\xfe\x00")
    for name, says in (("texts.jsonl", "can't be read: 'utf-8' codec"), ("none", "none can't be read: No such .*y$")):
        with pytest.raises(Fatal, match=says):
            read(tmp_path / name, 100)


def test_copies_count_once_and_contradictions_not_at_all(tmp_path: Path) -> None:
    """Both are said, with the lines that contradict each other."""
    lines = [*GOOD, GOOD[0], {"text": "c", "label": "x"}, {"text": "c", "label": "y"}]
    found = read(written(tmp_path / "texts.jsonl", *lines), 100)
    assert (found.texts, found.labels) == (["a", "b"], ["x", "y"])
    assert found.notes == [
        "left out, as copies of earlier lines: 1",
        "left out, as texts with several labels: 1 (lines 4 and 5)",
    ]


@pytest.mark.parametrize("labels", [(1, 2), (False, True)])
def test_labels_may_be_numbers_or_booleans(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    """And stay what they are."""
    lines = [{"text": str(number), "label": label} for number, label in enumerate(labels)]
    assert read(written(tmp_path / "texts.jsonl", *lines), 100).labels == [*labels]


def test_only_an_examples_own_fields_must_be_there_once(tmp_path: Path) -> None:
    """Other fields are ignored, and what is in them."""
    lines = [f'{{"text": "{each}", "label": "{each}", "id": 1, "id": {{"label": 1, "label": 2}}}}' for each in "ab"]
    assert read(written(tmp_path / "texts.jsonl", *lines), 100).labels == ["a", "b"]


def test_a_table_may_have_the_examples(tmp_path: Path) -> None:
    """With a row of names, other columns and line breaks within a text; a bad row is named by its line."""
    file = tmp_path / "texts.csv"
    file.write_text('\ufeffid,label,text\n1,x,"a\nb"\n2,y,c\n')
    found = read(file, 100)
    assert (found.texts, found.labels) == (["a\nb", "c"], ["x", "y"])
    file.write_text('label,text\nx,"a\nb"\ny\n')
    with pytest.raises(Fatal, match="line 4: text is missing"):
        read(file, 100)
    file.write_text("label,text,label\nx,a,y\n")
    with pytest.raises(Fatal, match="line 1: label is there more than once"):
        read(file, 100)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(Fatal, match="line 1: its columns must be named text and label"):
        read(file, 100)


def test_too_many_examples_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit, before the rest of the file is read; as many as the limit are not too many."""
    assert MOST == 200_000
    monkeypatch.setattr("worker.train.examples.MOST", 2)
    file = written(tmp_path / "texts.jsonl", *GOOD)
    assert read(file, 100).texts == ["a", "b"]
    with file.open("ab") as more:
        more.write(b"{}\n" * 10_000 + b"\xff")  # no text: who reads so far says that it can't be read
    with pytest.raises(Fatal, match="has more than 2 examples, which is the limit"):
        read(file, 100)
