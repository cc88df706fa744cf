"""Settings come from the environment, secrets from files too, and nothing shows a secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from servicekit import ServiceSettings
from servicekit.settings import load


class Settings(ServiceSettings):
    """With a secret and an optional one."""

    password: SecretStr
    token: SecretStr | None = None


def test_a_secret_comes_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`NAME` and the file named by `NAME_FILE` both work, without the file's last newline."""
    (tmp_path / "token").write_text("t0ken\n")
    monkeypatch.setenv("PASSWORD", "hidden")
    monkeypatch.setenv("TOKEN_FILE", str(tmp_path / "token"))
    settings = load(Settings)
    assert settings.password.get_secret_value() == "hidden"
    assert settings.token
    assert settings.token.get_secret_value() == "t0ken"
    assert "hidden" not in repr(settings)
    assert "t0ken" not in repr(settings)


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PORT": "70000"}, "bad setting PORT: Input should be less than or equal to 65535"),
        ({"DRAIN_SECONDS": "nan"}, "bad setting DRAIN_SECONDS: Input should be a finite number"),
        ({"FAULTS_ENABLED": "1", "ENVIRONMENT": "production"}, "FAULTS_ENABLED is refused in production"),
        ({"MIN_READY_PROCESSES": "2"}, "MIN_READY_PROCESSES must not exceed WEB_CONCURRENCY"),
        ({"HOST": "no host"}, "bad setting HOST: String should match pattern"),
        ({"TOKEN": "x", "TOKEN_FILE": "/dev/null"}, "bad setting TOKEN_FILE: TOKEN is set too; use one of them"),
        ({"TOKEN_FILE": "/nonexistent"}, "bad setting TOKEN_FILE: No such file or directory: /nonexistent"),
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


def test_a_missing_secret_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A required secret that is not set is named, too."""
    with pytest.raises(SystemExit):
        load(Settings)
    assert "bad setting PASSWORD: Field required" in capsys.readouterr().err


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`TOKEN=` does not hide what `TOKEN_FILE` says, as compose files with `${TOKEN:-}` have it."""
    (tmp_path / "token").write_text("t0ken")
    for name, value in {"PASSWORD": "hidden", "TOKEN": "", "TOKEN_FILE": str(tmp_path / "token")}.items():
        monkeypatch.setenv(name, value)
    token = load(Settings).token
    assert token
    assert token.get_secret_value() == "t0ken"


@pytest.mark.parametrize(("host", "bind"), [("0.0.0.0", "0.0.0.0:8000"), ("::1", "[::1]:8000")])
def test_an_ipv6_address_is_bracketed(host: str, bind: str) -> None:
    """gunicorn wants brackets around an IPv6 address."""
    assert ServiceSettings(host=host).bind == bind
