"""Bad settings of the api are named at start, and no secret is shown."""

import pytest
from pydantic import SecretStr

from api.keys.entries import parse
from api.settings import ApiSettings
from warmstart.settings.service import load

CHAT_FORM = "must be the base URL of an API, such as https://host/v1, without user, password, query"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("REDIS_URL", "redis://:S3cret/abc@127.0.0.1:1/0", "must be redis://:password@host:port/db"),
        ("REDIS_URL", "nonsense", "must be redis://:password@host:port/db"),
        ("DATABASE_URL", "mysql://u:S3cret@h/d", "must be postgresql+asyncpg://"),
        ("WORKER_URL", "ftp://worker", "must be http://host:port"),
        ("WORKER_URL", "http://user:S3cret@worker", "without user, password, query"),
        ("WORKER_URL", "http://worker:99999", "the port must be from 1 to 65535"),
        ("NEXT_WORKER_URL", "http://worker:0", "the port must be from 1 to 65535"),
        ("CHAT_URL", "http://localhost:99999/v1", "the port must be from 1 to 65535"),
        ("CHAT_URL", "http://localhost:S3cret/v1", "the port must be from 1 to 65535"),
        ("CHAT_URL", "localhost:9/v1", CHAT_FORM),
        ("CHAT_URL", "ftp://host/v1", CHAT_FORM),
        ("CHAT_URL", "http://", CHAT_FORM),
        ("CHAT_URL", "http://a..b/v1", CHAT_FORM),
        ("CHAT_URL", "http://[::1/v1", CHAT_FORM),
        ("CHAT_URL", "https://user:S3cret@host/v1", CHAT_FORM),
        ("CHAT_URL", "https://:S3cret@host/v1", CHAT_FORM),
        ("CHAT_URL", "https://host/v1?key=S3cret", CHAT_FORM),
        ("CHAT_URL", "https://host/v1 S3cret", CHAT_FORM),
        ("CHAT_URL", " ", CHAT_FORM),
        ("CHAT_MODEL", " ", "should match pattern"),
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


@pytest.mark.parametrize(
    "url", ["https://host/v1", "http://[::1]:65535/v1/", "http://bücher.example", "http://a_b:1/@x"]
)
def test_white_space_around_a_url_goes(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """It would break every call; the URL itself is taken as it is."""
    monkeypatch.setenv("CHAT_URL", f" {url}\n")
    monkeypatch.setenv("CHAT_MODEL", " m ")
    settings = ApiSettings()
    assert (settings.chat_url, settings.chat_model) == (url, "m")


@pytest.mark.parametrize("text", ["a,b", "a, b", "a\nb\n", " a b "])
def test_keys_are_separated_by_commas_or_white_space(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """One key a line in a file works as commas in a variable do."""
    monkeypatch.setenv("API_KEYS", text)
    assert ApiSettings().keys() == parse("a b")


HASHED = f"mobile sha256:{'0' * 64} 5/hour"
LONG = "0123456789abcdef012345"


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("api_keys", "S3cret", True),
        ("api_keys", f"# the\n{LONG}\nS3cret", True),
        ("api_keys", f"# the\n{LONG}", False),
        ("api_keys", HASHED, False),
        ("operator_keys", f"{LONG},S3cret", True),
        ("operator_keys", LONG, False),
        ("worker_secret", LONG[1:], True),
        ("worker_secret", LONG, False),
    ],
)
def test_a_key_that_can_be_guessed_is_refused_in_production(name: str, value: str, *, refused: bool) -> None:
    """Where it stands as it is; the message has the setting, and nothing of the key. In development it is nobody's."""
    keys = {"api_keys": SecretStr(HASHED), name: SecretStr(value)}
    ApiSettings.model_validate(keys).check_serving()
    settings = ApiSettings.model_validate({**keys, "environment": "production"})
    if not refused:
        settings.check_serving()
        return
    with pytest.raises(ValueError, match=f"^{name.upper()}: .* 22 characters") as said:
        settings.check_serving()
    assert value not in str(said.value)
    assert "S3cret" not in str(said.value)
