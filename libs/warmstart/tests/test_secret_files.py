"""A secret comes from the environment or a file, and a secret that was meant to be set never stays unset silently."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsConfigDict
from typing_extensions import TypeAliasType

from warmstart import ServiceSettings
from warmstart.settings.secret_files import is_secret
from warmstart.settings.service import load

Checked = Annotated[SecretStr, AfterValidator(lambda secret: secret)]
Named = TypeAliasType("Named", Checked | None)


class Settings(ServiceSettings):
    """A required secret, and others that hide theirs in different depths."""

    password: SecretStr
    token: SecretStr | None = None
    checked: Checked | None = None
    deep: Annotated[Annotated[Checked | None, Field()] | None, Field()] = None
    named: Named = None
    many: list[Checked] = Field([])


class OfClouds(ServiceSettings):
    """Secrets that begin like what clouds set for other programs."""

    azure_openai_api_key: SecretStr | None = None
    aws_secret_key: SecretStr | None = None
    ssl_password: SecretStr | None = None


class Store(BaseModel):
    """With a secret."""

    password: SecretStr | None = None


class Nested(ServiceSettings):
    """With a setting of several parts."""

    model_config = SettingsConfigDict(env_nested_delimiter="__")
    store: Store = Store()


class Short(ServiceSettings):
    """With a delimiter that other programs have in their names."""

    model_config = SettingsConfigDict(env_nested_delimiter="_")
    ssl: Store = Store()


def test_a_file_of_another_program_is_no_part_of_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE is OpenSSL's, whatever the settings' parts are called."""
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    assert Short().ssl == Store()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Settings]:
    """`given(TOKEN_FILE=b"…", PORT="1")` loads the settings, with a file for each value that is bytes."""

    def start(**variables: str | bytes) -> Settings:
        for name, value in {"PASSWORD": "hidden", **variables}.items():
            if isinstance(value, bytes):
                (tmp_path / name).write_bytes(value)
            monkeypatch.setenv(name, str(tmp_path / name) if isinstance(value, bytes) else value)
        return load(Settings)

    return start


@pytest.mark.parametrize("name", ["password", "token", "checked", "deep", "named"])
def test_a_secret_comes_from_a_file(given: Callable[..., Settings], name: str) -> None:
    """The type may be written in any way; the file's last newline is removed; no repr shows the secret."""
    settings = given(PASSWORD="", **{f"{name.upper()}_FILE": b"t0ken\n", "PASSWORD_FILE": b"t0ken\n"})
    assert getattr(settings, name).get_secret_value() == "t0ken"
    assert "t0ken" not in repr(settings)


def test_a_list_of_secrets_in_a_file_is_json(given: Callable[..., Settings]) -> None:
    """As pydantic-settings reads a list from a variable."""
    assert [each.get_secret_value() for each in given(MANY_FILE=b'["a", "b"]').many] == ["a", "b"]


@pytest.mark.parametrize("annotation", [SecretBytes, Secret[int], dict[str, SecretStr], tuple[int, SecretStr | None]])
def test_every_kind_of_secret_is_found(annotation: Any) -> None:
    """Pydantic's three types, alone or inside others."""
    assert is_secret(FieldInfo(annotation=annotation))
    assert not is_secret(FieldInfo(annotation=Annotated[str, Field(min_length=1)] | None))


def test_variables_in_lower_case_are_not_ours(given: Callable[..., Settings]) -> None:
    """As for every other setting: no secret comes from them, and none is refused."""
    settings = given(token="x", token_file="/nonexistent", Checked_File=b"y", port_file="/nonexistent")
    assert settings.token is None
    assert settings.checked is None


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"TOKEN_FILE": "/nonexistent"}, "TOKEN_FILE: No such file or directory: /nonexistent"),
        ({"CHECKED_FILE": "/nonexistent"}, "CHECKED_FILE: No such file or directory: /nonexistent"),
        ({"TOKEN_FILE": "/"}, "TOKEN_FILE: Is a directory: /"),
        ({"TOKEN_FILE": b" \n"}, "TOKEN_FILE: empty: "),
        ({"TOKEN_FILE": b"hidden\xff"}, "TOKEN_FILE: not text: "),
        ({"TOKEN_FILE": b"hidden\0"}, "TOKEN_FILE: not text: "),
        ({"TOKEN_FILE": "/dev/zero"}, "TOKEN_FILE: not a regular file: /dev/zero"),
        ({"TOKEN_FILE": bytes(2**20 + 1)}, "TOKEN_FILE: more than 1048576 bytes: "),
        ({"MANY_FILE": b"hidden"}, "MANY_FILE: not JSON: "),
        ({"TOKEN": "x", "TOKEN_FILE": b"y"}, "TOKEN_FILE: TOKEN is set too; use one of them"),
        ({"PORT_FILE": b"80"}, "PORT_FILE: PORT is no secret, and comes from no file"),
        ({"TOKENS_FILE": b"x"}, "TOKENS_FILE: nothing reads it; did you mean TOKEN_FILE?"),
        ({"PASWORD_FILE": b"x"}, "PASWORD_FILE: nothing reads it; did you mean PASSWORD_FILE?"),
        ({"TOKEN_LIST_FILE": b"x"}, "TOKEN_LIST_FILE: nothing reads it; did you mean TOKEN_FILE?"),
        ({"TOKENS": "hidden"}, "TOKENS: nothing reads it; did you mean TOKEN?"),
        ({"PASSWORD": "", "PASWORD": "hidden"}, "PASWORD: nothing reads it; did you mean PASSWORD?"),
        ({"PASSWORD": ""}, "PASSWORD: Field required"),
        ({"TOKEN": "", "ENVIRONMENT": "production"}, "TOKEN: it is empty; give it a value, or unset it"),
        ({"TOKEN_FILE": "", "ENVIRONMENT": "production"}, "TOKEN_FILE: it is empty; give it a value, or unset it"),
    ],
)
def test_a_secret_that_was_meant_and_is_not_there_ends_the_start(
    given: Callable[..., Settings],
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str | bytes],
    line: str,
) -> None:
    """Status 3 and one line that names the variable, and shows nothing of any file."""
    with pytest.raises(SystemExit) as left:
        given(**variables)
    said = capsys.readouterr().err
    assert left.value.code == 3
    assert said.startswith(f"bad setting {line}")
    assert said.count("\n") == 1
    assert "hidden" not in said


def test_a_secret_is_not_waited_for(
    given: Callable[..., Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A named pipe without a writer ends the start, as any file that is no regular one."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SystemExit):
        given(TOKEN_FILE=str(tmp_path / "pipe"))
    assert "bad setting TOKEN_FILE: not a regular file: " in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("TOKENS", "x"), ("MY_TOKEN", "x"), ("PASSWD", "x"), ("CHECKE", "")])
def test_variables_of_other_programs_are_none_of_ours(given: Callable[..., Settings], name: str, value: str) -> None:
    """A name like that of a secret that is set, a less similar name, or an empty variable does not end the start."""
    settings = given(TOKEN="t0ken", **{name: value})
    assert settings.token is not None


@pytest.mark.parametrize(
    "name",
    [
        "SSL_CERT_FILE",
        "SOPS_AGE_KEY_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AZURE_FEDERATED_TOKEN_FILE",
        "OTEL_CONFIG_FILE",
        "OTEL_EXPERIMENTAL_CONFIG_FILE",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "FAULTS_FILE",
    ],
)
def test_files_of_other_programs_are_none_of_ours(given: Callable[..., Settings], name: str) -> None:
    """What a cluster or a shell sets for others ends no start, also beside secrets whose names begin like it."""
    assert given(**{name: "/nonexistent"}).token is None
    assert load(OfClouds).azure_openai_api_key is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AZURE_OPENAI_API_KEYS", "AZURE_OPENAI_API_KEY"),
        ("AZURE_OPENAI_APIKEY_FILE", "AZURE_OPENAI_API_KEY_FILE"),
        ("OTEL_EXPORTER_OTLP_HEADER", "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_a_misspelled_secret_may_begin_like_another_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, meant: str
) -> None:
    """A secret of ours is protected, whatever it begins with."""
    monkeypatch.setenv(name, "hidden")
    with pytest.raises(SystemExit):
        load(OfClouds)
    assert capsys.readouterr().err == f"bad setting {name}: nothing reads it; did you mean {meant}?\n"


def test_a_part_of_a_setting_comes_from_no_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such a file would not be read."""
    monkeypatch.setenv("STORE__PASSWORD_FILE", "/nonexistent")
    with pytest.raises(SystemExit):
        load(Nested)
    said = capsys.readouterr().err
    assert said == "bad setting STORE__PASSWORD_FILE: STORE__PASSWORD is a part of a setting, and comes from no file\n"


def test_an_empty_variable_is_an_unset_one(given: Callable[..., Settings]) -> None:
    """`TOKEN=` is no token, and does not hide the one from `TOKEN_FILE`, in production neither."""
    assert given(TOKEN="", CHECKED_FILE="").token is None
    token = given(TOKEN="", CHECKED_FILE=b"x", TOKEN_FILE=b"t0ken", ENVIRONMENT="production").token
    assert token
    assert token.get_secret_value() == "t0ken"
