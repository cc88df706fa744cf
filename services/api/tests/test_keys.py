"""The file of API keys, and the command that changes it."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from api.keys.__main__ import main
from api.keys.entries import Entry, parse
from api.keys.known import KnownKeys

HASH, OTHER = ("sha256:" + sha256(each).hexdigest() for each in (b"one", b"other"))


def test_lines_of_names_hashes_and_quotas() -> None:
    """CRLF, comments, tabs and hashes in upper case are read; a key that is rotated has two hashes."""
    text = f"# theirs\r\n\r\nmobile\t{HASH.upper()}\r\n  web {OTHER},sha256:{'0' * 64}  600 per minute \r\n#"
    one, other = (sha256(each).digest() for each in (b"one", b"other"))
    assert parse(text) == [Entry("mobile", (one,)), Entry("web", (other, bytes(32)), "600 per minute")]
    assert parse(text)[0].line() == f"mobile {HASH}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"a {HASH}\na {OTHER}", "holds one name twice: that of a"),
        (f"a {HASH}\nb {HASH}", "holds one hash twice: that of b"),
        (f"a {HASH},{HASH}", "holds one hash twice: that of a"),
        (f"a {HASH[:-1]}", "line 1 must be NAME sha256:HASH"),
        (f"a {HASH}0", "line 1 must be"),
        (f"a {HASH},", "line 1 must be"),
        (f"a {HASH.replace('sha256', 'sha265')}", "line 1 must be"),
        (f"a {HASH.replace('sha256', 'md5')}", "line 1 must be"),
        (HASH, "line 1 must be"),
        (f"{HASH} a", "line 1 must be"),
        (f"a, {HASH}", "line 1 must be"),
        (f"-a {HASH}", "line 1 must be"),
        (f"{'a' * 65} {HASH}", "line 1 must be"),
        (f"ä {HASH}", "line 1 must be"),
        (f"a {HASH}\n\nS3cret", "line 3 must be"),
        (f"a {HASH} many", "line 1 must be one limit"),
        (f"a {HASH} 0/minute", "line 1 must be one limit"),
        (f"a {HASH} 1/minute;2/hour", "line 1 must be one limit"),
        (f"a {HASH} b {OTHER}", "line 1 must be one limit"),
        ("schlüssel-S3cret", "must hold keys of ASCII"),
    ],
)
def test_a_bad_file_is_refused(text: str, words: str) -> None:
    """A misspelled hash never becomes a key itself, and the message quotes neither key nor hash."""
    with pytest.raises(ValueError, match=words) as refused:
        parse(text)
    assert "S3cret" not in str(refused.value)
    assert HASH[10:20] not in str(refused.value)


def test_a_large_file_is_read() -> None:
    """As many keys as a mounted Secret holds (1 MiB), each found under its own name."""
    keys = {f"key-{number}": str(number).encode() for number in range(10_000)}
    known = KnownKeys(parse("\n".join(f"{name} sha256:{sha256(key).hexdigest()}" for name, key in keys.items()))).known
    found = [known.find(key) for key in keys.values()]
    assert [each and each.name for each in found] == list(keys)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that API_KEYS_FILE names; it isn't there yet."""
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "keys"))
    return tmp_path / "keys"


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> bytes:
    """The key that the command prints."""
    assert main(arguments) == 0
    return capsys.readouterr().out.strip().encode()


def test_keys_are_made_rotated_and_revoked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file never holds a key, keeps other lines, its mode and a link to it, and is readable by its owner alone."""
    first = made(capsys, "new", "mobile", "--quota", "5/minute")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    real = file.rename(file.with_name("real"))
    file.symlink_to("real")
    real.write_text(real.read_text() + "# ours")  # without an end of line
    other, second = made(capsys, "new", "web"), made(capsys, "rotate", "mobile")

    def names() -> list[str | None]:
        known = KnownKeys(parse(file.read_text())).known
        return [found.name if (found := known.find(key)) else None for key in (first, second, other)]

    assert names() == ["mobile", "mobile", "web"]
    assert main(["rotate", "mobile"]) == main(["new", "web"]) == main(["revoke", "nobody"]) == 1
    assert main(["revoke", "web", "--older"]) == 1
    assert main(["revoke", "mobile", "--older"]) == 0
    assert names() == [None, "mobile", "web"]
    assert parse(file.read_text())[0].quota == "5/minute"
    assert main(["list"]) == main(["revoke", "mobile"]) == main(["revoke", "web"]) == 0
    assert "web" in capsys.readouterr().out
    assert parse(file.read_text()) == []
    assert "# ours" in file.read_text()
    assert (file.is_symlink(), real.stat().st_mode & 0o777) == (True, 0o640)
    assert sorted(each.name for each in file.parent.iterdir()) == ["keys", "real"]


@pytest.mark.parametrize("named", [None, ""])
def test_a_key_for_a_file_elsewhere(
    named: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where API_KEYS_FILE is unset or empty, the command prints the key, and the line that is to go into a Secret."""
    monkeypatch.delenv("API_KEYS_FILE", raising=False)
    if named is not None:
        monkeypatch.setenv("API_KEYS_FILE", named)
    assert main(["new", "mobile"]) == 0
    said = capsys.readouterr()
    [entry] = parse(said.err.splitlines()[-1])
    assert entry == Entry("mobile", (sha256(said.out.strip().encode()).digest(),))


def test_two_at_once_lose_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight keys that are made together are all in the file."""
    names = [f"key-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda name: main(["new", name]), names)) == {0}
    assert sorted(each.name for each in parse(file.read_text())) == names


@pytest.mark.parametrize("content", ["a-key-itself\n", f"a {HASH}\na {OTHER}\n"])
def test_a_file_of_another_kind_is_left_alone(file: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command changes no file that the api would then refuse."""
    file.write_text(content)
    assert [main(each) for each in (["new", "web"], ["rotate", "a"], ["revoke", "a"], ["list"])] == [1] * 4
    assert file.read_text() == content
    assert "a-key-itself" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["new", "a b"], ["new", ""], ["new", "ä"], ["new", "a", "--quota", "x"], []])
def test_a_wrong_command_is_refused(file: Path, arguments: list[str]) -> None:
    """Status 2, and there is no file."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert not file.exists()
