"""What a file of flags may hold, and what is refused."""

import hashlib
import json
import re
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from warmstart.flags.text import FlagSet, parse, values


class Flags(FlagSet):
    """One flag of each kind."""

    sums: bool = False
    mode: Literal["on", "off"] = "on"
    share: float = 0.5
    most: int = 10
    names: tuple[str, ...] = ("a",)


def parsed(text: str | bytes) -> Flags:
    """The flags of a file."""
    return parse(text.encode() if isinstance(text, str) else text, Flags()).flags


def test_what_the_file_has_replaces_the_defaults() -> None:
    """The other flags are those that were given as defaults, which need not be the class's own."""
    read = parse(b'{"sums": true, "share": 1, "names": []}', Flags(mode="off", sums=False))
    assert read.flags == Flags(sums=True, mode="off", share=1.0, names=())
    assert parse(b"{}", Flags(mode="off")).flags == Flags(mode="off")


def test_the_version_of_a_file_is_what_sha256sum_says() -> None:
    """Of its bytes, marks and line ends included."""
    content = '\ufeff{\r\n  "sums": true\r\n}\r\n'.encode()
    read = parse(content, Flags())
    assert (read.flags.sums, read.sha256) == (True, hashlib.sha256(content).hexdigest())


def test_an_unknown_flag_changes_nothing() -> None:
    """A file for a newer version of the service must not end the older one: names are kept to be told."""
    read = parse('{"zonen": 1, "sums": true, "größe": {"a": null}}'.encode(), Flags())
    assert (read.flags, read.unknown) == (Flags(sums=True), ("größe", "zonen"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"sums": "false"}', "sums: Input should be a valid boolean"),
        ('{"sums": 0}', "sums: Input should be a valid boolean"),
        ('{"sums": null}', "sums: Input should be a valid boolean"),
        ('{"mode": "ON"}', "mode: Input should be 'on' or 'off'"),
        ('{"most": 1.5}', "most: Input should be a valid integer"),
        ('{"most": "1"}', "most: Input should be a valid integer"),
        ('{"most": true}', "most: Input should be a valid integer"),
        ('{"share": NaN}', "share: Input should be a finite number"),
        ('{"share": 1e999}', "share: Input should be a finite number"),
        ('{"names": "abc"}', "names: Input should be a valid array"),
        ('{"names": ["a", 2]}', "names.1: Input should be a valid string"),
        ('{"sums": 1, "most": ""}', "sums: Input should be a valid boolean; most: Input should be a valid integer"),
        ('{"sums": true, "sums": false}', "sums: stands there 2 times"),
        ('{"unknown": {"a": 1, "a": 1}}', "a: stands there 2 times"),
        ("", "not JSON: Expecting value"),
        ('{"sums": true', "not JSON: Expecting"),
        ('{"sums": true} {}', "not JSON: Extra data"),
        ('{"sums": true, // why\n}', "not JSON: Expecting property name"),
        ("[]", "must be a JSON object"),
        ("true", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("[" * 60_000, "not JSON"),
        ('{"most": ' + "9" * 5_000 + "}", "Exceeds the limit"),
        (b'{"\xff": true}', "not UTF-8"),
        ('{"sums": true}'.encode("utf-16"), "not UTF-8"),
        ('{"sums": true, "names": ["\\ud800"]}', "names: has half of a surrogate pair"),
        ('{"sums": true, "names": ' + "[" * 300 + "]" * 300 + "}", "names: has half of a surrogate pair, or is nested"),
    ],
)
def test_a_bad_file_is_refused_with_flag_and_reason(content: str | bytes, reason: str) -> None:
    """A flag has exactly the type that its class says, and stands there once."""
    with pytest.raises(ValueError, match=re.escape(reason)) as raised:
        parsed(content)
    assert str(raised.value).startswith(reason)
    assert not isinstance(raised.value, ValidationError)
    assert len(str(raised.value)) < 500


def test_a_refusal_has_no_value() -> None:
    """Somebody may have put a password there."""
    for text in ('{"sums": "hunter2"}', '{"mode": "hunter2"}', '{"names": [["hunter2"]]}', 'hunter2 {"sums"'):
        with pytest.raises(ValueError, match=r".") as raised:
            parsed(text)
        assert "hunter2" not in str(raised.value)


def test_a_file_that_is_cut_anywhere_is_refused() -> None:
    """So a write that goes on, or that a full disk ended, changes no flag."""
    content = json.dumps({"sums": True, "mode": "off", "names": ["ä", "b"]}, indent=1, ensure_ascii=False).encode()
    for end in range(len(content)):
        with pytest.raises(ValueError, match=r"^not"):
            parsed(content[:end])


def test_flags_do_not_change() -> None:
    """Who holds them sees the same ones to the end."""
    flags: Any = parsed('{"sums": true}')
    with pytest.raises(ValidationError, match="frozen"):
        flags.sums = False


def test_flags_are_shown_as_the_file_has_them() -> None:
    """Text without quotes; nothing that breaks a line, and nothing long."""
    shown = values(Flags(sums=True, names=("a\nb", "x" * 100)))
    assert shown["sums"] == "true"
    assert shown["mode"] == "on"
    assert shown["names"].startswith(r'["a\nb", "xxx')
    assert max(map(len, shown.values())) == 64
