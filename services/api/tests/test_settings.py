"""Bad settings of the api are named at start, and no secret is shown."""

import pytest

from api.keys.entries import parse
from api.settings import ApiSettings
from warmstart.settings.service import load


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("REDIS_URL", "redis://:S3cret/abc@127.0.0.1:1/0", "must be redis://:password@host:port/db"),
        ("REDIS_URL", "nonsense", "must be redis://:password@host:port/db"),
        ("DATABASE_URL", "mysql://u:S3cret@h/d", "must be postgresql+asyncpg://"),
        ("WORKER_URL", "ftp://worker", "must be http://host:port"),
        ("WORKER_URL", "http://user:S3cret@worker", "without user and password"),
        ("API_KEYS", " , ", "must hold keys"),
        ("API_KEYS", "schlüssel-S3cret", "must hold keys of ASCII"),
        ("API_KEYS", "# nobody", "must hold keys"),
        ("API_KEYS", "mobile sha256:S3cret", "line 1 must be NAME sha256:HASH"),
        ("CORS_ORIGINS", "page.example", "origins as https://example.org"),
        ("CORS_ORIGINS", "https://a.example, https://b.example/", "origins as https://example.org"),
        ("QUOTA", "many", "600/minute"),
        ("QUOTA", "600", "600/minute"),
        ("QUOTA", "0/minute", "at least one"),
        ("QUOTA", "-5/minute", "600/minute"),
        ("QUOTA", "5/fortnight", "600/minute"),
        ("QUOTA", "600/minute;10000/day", "one limit"),
        ("QUOTA", "5 per 99999999999999 years", "in at most ten years"),
        ("QUOTA", "99999999999999999999/minute", "must be at most 10**12 texts"),
        ("CACHE_TTL", "1e308", "less than or equal to 316224000"),
    ],
)
def test_a_bad_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, words: str
) -> None:
    """One line with name and form; nothing of the value; status 3."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        load(ApiSettings)
    said = capsys.readouterr().err
    assert left.value.code == 3
    assert f"bad setting {name}: " in said
    assert words in said
    assert "S3cret" not in said


@pytest.mark.parametrize("text", ["a,b", "a, b", "a\nb\n", " a b "])
def test_keys_are_separated_by_commas_or_white_space(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """One key a line in a file works as commas in a variable do."""
    monkeypatch.setenv("API_KEYS", text)
    assert ApiSettings().keys() == parse("a b")
