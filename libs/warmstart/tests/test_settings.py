"""Settings come from the environment; a bad one is named, and nothing shows a secret."""

from typing import Any

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from warmstart import ServiceSettings, configure
from warmstart.settings.service import load


class Settings(ServiceSettings):
    """With a secret."""

    password: SecretStr


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PORT": "70000"}, "bad setting PORT: Input should be less than or equal to 65535"),
        ({"DRAIN_SECONDS": "nan"}, "bad setting DRAIN_SECONDS: Input should be a finite number"),
        ({"FAULTS_ENABLED": "1", "ENVIRONMENT": "production"}, "bad setting FAULTS_ENABLED is refused in production"),
        ({"MIN_READY_PROCESSES": "2"}, "MIN_READY_PROCESSES must not exceed WEB_CONCURRENCY"),
        ({"REQUEST_TIMEOUT": "1e308"}, "bad setting REQUEST_TIMEOUT: Input should be less than or equal to 86400"),
        ({"REQUEST_TIMEOUT": "1e-7"}, "bad setting REQUEST_TIMEOUT: Input should be greater than or equal to 0.001"),
        ({"DRAIN_SECONDS": "1e308"}, "bad setting DRAIN_SECONDS: Input should be less than or equal to 86400"),
        ({"MAX_BODY_BYTES": "9" * 30}, "bad setting MAX_BODY_BYTES: Input should be less than or equal to"),
        ({"MAX_HEADER_BYTES": "9" * 30}, "bad setting MAX_HEADER_BYTES: Input should be less than or equal to"),
        ({"HOST": "no host"}, "bad setting HOST: String should match pattern"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://host:99999"},
            "bad setting OTEL_EXPORTER_OTLP_ENDPOINT: must be the URL",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://host/a?hidden"}, "without user, password, query"),
        ({"PORT": " "}, "bad setting PORT: Input should be a valid integer"),
        ({"PORT": ""}, "bad setting PORT: it is empty; give it a value, or unset it"),
    ],
)
def test_a_bad_setting_is_one_line_and_status_3(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    line: str,
) -> None:
    """`load` names the setting and its limit on stderr, and leaves with status 3."""
    for name, value in {"PASSWORD": "hidden", **environment}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        load(Settings)
    said = capsys.readouterr().err
    assert left.value.code == 3
    assert line in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"env_file": ".env"}, "env_file is not read"),
        ({"secrets_dir": "/run/secrets"}, "secrets_dir is not read"),
        ({"env_prefix": "MYAPP_"}, "env_prefix is not allowed"),
        ({"env_parse_none_str": "null"}, "env_parse_none_str is not read"),
    ],
)
def test_a_source_that_is_not_read_is_refused(option: SettingsConfigDict, why: str) -> None:
    """A class that counts on one can't be made: its secrets would silently be unset."""
    with pytest.raises(TypeError, match=why):

        class Counting(ServiceSettings):
            model_config = option
            token: SecretStr | None = None

    given: dict[str, Any] = {f"_{name}": value for name, value in option.items()}
    with pytest.raises(TypeError, match=f"Settings: _{why}"):
        Settings(password=SecretStr("x"), **given)


def test_an_alias_is_refused() -> None:
    """Its variable would be read, and that with _FILE would not."""
    with pytest.raises(TypeError, match=r"Aliased.keys: a secret may have no alias"):

        class Aliased(ServiceSettings):
            keys: SecretStr | None = Field(None, validation_alias="SERVICE_TOKENS")

    with pytest.raises(TypeError, match=r"Generated.*: a secret may have no alias"):

        class Generated(ServiceSettings):
            model_config = SettingsConfigDict(alias_generator=str.title)


def test_settings_are_read_in_upper_case_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable in lower case or mixed is another one: it neither beats the setting nor stands in for it."""
    for name, value in {"PASSWORD": "hidden", "PORT": "21010", "port": "21011", "Log_Level": "error"}.items():
        monkeypatch.setenv(name, value)
    read = load(Settings)
    assert (read.port, read.log_level) == (21010, "info")


def test_white_space_around_a_value_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in no value, be it a number, a URL or a secret: an .env file or a manifest easily adds some."""
    url = "http://127.0.0.1:4318"
    for name, value in {"PASSWORD": " hidden\n", "PORT": " 21010", "OTEL_EXPORTER_OTLP_ENDPOINT": f" {url}\t"}.items():
        monkeypatch.setenv(name, value)
    read = load(Settings)
    assert (read.port, read.otel_exporter_otlp_endpoint) == (21010, url)
    assert read.password.get_secret_value() == "hidden"


def test_a_missing_secret_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A required secret that is not set is named, too."""
    with pytest.raises(SystemExit):
        load(Settings)
    assert "bad setting PASSWORD: Field required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("0.0.0.0", ["0.0.0.0:8000"]),
        ("::1", ["[::1]:8000"]),
        ("127.0.0.1,::1", ["127.0.0.1:8000", "[::1]:8000"]),
        ("127.0.0.1,2001:db8::1", ["127.0.0.1:8000"]),  # an address for documentation: no machine has it
        ("2001:db8::1", ["[2001:db8::1]:8000"]),
    ],
)
def test_a_service_listens_on_the_addresses_that_there_are(host: str, bind: list[str]) -> None:
    """gunicorn wants brackets around an IPv6 address; one that the machine lacks is left out beside others only."""
    assert ServiceSettings(host=host).bind == bind


@pytest.mark.parametrize("host", ["nosuch.invalid", "-1", "é", "127.0.0.1,1.2.3.4.5", "x" * 64])
def test_a_host_has_an_address(host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that has none is one line and status 3."""
    monkeypatch.setenv("HOST", host)
    with pytest.raises(SystemExit) as left:
        configure({}, ServiceSettings, "any:app")
    said = capsys.readouterr().err
    assert left.value.code == 3
    assert said.startswith("bad setting HOST: ")
    assert (said.count("\n"), said.count("has no address")) == (1, 1)
    assert load(ServiceSettings).host == host  # who doesn't listen doesn't care


@pytest.mark.parametrize("host", [",", "::,", "127.0.0.1 ::1", "[::1]"])
def test_a_host_is_a_list_of_addresses(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Separated by commas, without brackets."""
    monkeypatch.setenv("HOST", host)
    with pytest.raises(SystemExit):
        load(ServiceSettings)
