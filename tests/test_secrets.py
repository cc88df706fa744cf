"""Every secret setting of every service comes from a file; the list is made from the settings classes."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from api.settings import ApiSettings
from warmstart import ServiceSettings
from warmstart.settings.secret_files import is_secret
from warmstart.settings.service import load
from worker.settings import WorkerSettings

DOCUMENT = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()
CLASSES = (ApiSettings, WorkerSettings)
SECRETS = [(each, name) for each in CLASSES for name, field in each.model_fields.items() if is_secret(field)]
# What a validator lets through, for those that are no plain word.
POSTGRES = "postgresql+asyncpg://u:word@h/d"
CONTENT = {
    "database_url": POSTGRES,
    "search_database_url": POSTGRES,
    "redis_url": "redis://:word@h:1/0",
    "otel_exporter_otlp_headers": "authorization=word",
}


def test_the_list_is_not_empty() -> None:
    """Whatever shows as asterisks is a secret, and so on the list."""
    assert {"database_url", "redis_url", "api_keys"} <= {name for _, name in SECRETS}
    for settings in (ApiSettings(api_keys=SecretStr("word")), WorkerSettings()):
        hidden = {name for name, value in settings if "**********" in repr(value)}
        assert hidden <= {name for each, name in SECRETS if each is type(settings)}


@pytest.mark.parametrize(("settings", "name"), SECRETS)
def test_a_secret_setting_comes_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: type[ServiceSettings], name: str
) -> None:
    """`NAME_FILE` gives the real class its value."""
    content = CONTENT.get(name, "word")
    (tmp_path / name).write_text(f"{content}\n")
    monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(f"{name.upper()}_FILE", str(tmp_path / name))
    assert getattr(load(settings), name).get_secret_value() == content


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_file_that_gives_no_secret_ends_the_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    secret: tuple[type[ServiceSettings], str],
    content: bytes | None,
) -> None:
    """Missing, empty, or not text: status 3, and the variable is named."""
    settings, name = secret
    if content is not None:
        (tmp_path / name).write_bytes(content)
    monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(f"{name.upper()}_FILE", str(tmp_path / name))
    with pytest.raises(SystemExit) as left:
        load(settings)
    assert left.value.code == 3
    assert f"bad setting {name.upper()}_FILE: " in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted({name for _, name in SECRETS}))
def test_the_documentation_lists_it(name: str) -> None:
    """docs/settings.md says which settings are secrets."""
    sentence = DOCUMENT.partition("These are secrets: ")[2].partition(";")[0]
    assert f"`{name.upper()}`" in sentence.split(", ")
