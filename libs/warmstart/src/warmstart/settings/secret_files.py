"""Secrets from files: `NAME_FILE` names the file that holds the secret `NAME`."""

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from warmstart.settings.files import content

SUFFIX = "_FILE"
LARGEST = 2**20  # bytes of a file
ALIKE = 0.8  # difflib's ratio from which a file's variable counts as misspelled: PASWORD of PASSWORD has 0.93
TYPO = 0.9  # the same for other variables: API_KEY of API_KEYS has 0.93, TEST_DATABASE_URL of DATABASE_URL 0.83
# Programs that a cluster or a shell configures beside this one, some of them in this very process.
OTHERS = ("AWS_", "AZURE_", "CLOUDSDK_", "GIT_", "GOOGLE_", "GUNICORN_", "KUBERNETES_", "OTEL_", "PIP_", "SSL_", "UV_")


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the secret `NAME` from the file that the variable `NAME_FILE` names.

    A variable that looks like a secret, or like the file of one, but that no setting reads, is an error: its author
    believes that the secret is set.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self._variables = variables()

    def __call__(self) -> dict[str, Any]:
        """Read all secrets that come from files. Raises ValueError, which names the variable."""
        fields = self.settings_cls.model_fields
        secrets = [name.upper() for name, field in fields.items() if is_secret(field)]
        unset = [each for each in secrets if not any(map(self._variables.get, (each, each + SUFFIX)))]
        delimiter = self.config.get("env_nested_delimiter")
        for variable, value in self._variables.items():
            reason = _unread(variable, fields, secrets, delimiter) or (
                _misspelled(variable, fields, unset) if value else None
            )
            if reason:
                raise ValueError(f"{variable}: {reason}")
        read = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in read.items() if value is not None}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The file's content without surrounding white space. Raises ValueError when it can't be read."""
        name = field_name.upper()
        variable = name + SUFFIX
        path = self._variables.get(variable)
        if not path or not is_secret(field):
            return None, field_name, False
        if self._variables.get(name):
            raise ValueError(f"{variable}: {name} is set too; use one of them")
        text, is_complex = read(variable, path), self.field_is_complex(field)
        try:
            return self.prepare_field_value(field_name, field, text, is_complex), field_name, is_complex
        except ValueError:  # its text may hold the secret
            raise ValueError(f"{variable}: not JSON: {path}") from None


def variables() -> dict[str, str]:
    """The environment's variables in upper case; `port` is not the variable `PORT`, and is not read.

    White space around a value goes, as that of a file does. A value of nothing else stays: it is bad, and not unset.
    """
    return {name: value.strip() or value for name, value in os.environ.items() if name == name.upper()}


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting holds a secret, also inside of unions, lists and annotations."""
    return _holds_secret(field.annotation)


def _holds_secret(annotation: Any) -> bool:
    annotation = getattr(annotation, "__value__", annotation)  # `type Name = …`
    if isinstance(annotation, type) and issubclass(annotation, Secret | SecretStr | SecretBytes):
        return True
    return any(_holds_secret(each) for each in [getattr(annotation, "__origin__", None), *get_args(annotation)] if each)


def read(variable: str, path: str, *, empty: bool = False) -> str:
    """The content of the file that a variable names, without surrounding white space.

    Raises ValueError when it can't be read, is no text, or, unless it may be, is `empty`.
    """
    try:
        text = content(variable, path, LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError:  # its text may hold the secret
        raise ValueError(f"{variable}: not text: {path}") from None
    if not is_text(text):
        raise ValueError(f"{variable}: not text: {path}")
    if not text.strip() and not empty:
        raise ValueError(f"{variable}: empty: {path}")
    return text.strip()


def is_text(secret: str) -> bool:
    """Whether nothing in a secret is invisible, such as a control character or a byte order mark inside of it."""
    return all(each.isprintable() or each.isspace() for each in secret)


def _misspelled(variable: str, fields: Mapping[str, FieldInfo], unset: Sequence[str]) -> str | None:
    """Why a variable looks like a misspelled secret that is not set, or None."""
    if variable.endswith(SUFFIX) or variable.lower() in fields:
        return None
    meant = _nearly(variable, unset, TYPO)
    return f"nothing reads it; did you mean {meant[0]}?" if meant else None


def _unread(
    variable: str, fields: Mapping[str, FieldInfo], secrets: Sequence[str], delimiter: str | None
) -> str | None:
    """Why a variable looks meant for these settings although nothing reads it, or None.

    Such a variable is `NAME_FILE` of a setting that is no secret, or of a part of one, or begins like a secret's name
    or is spelled nearly like one. Other names belong to other programs: SSL_CERT_FILE, SOPS_AGE_KEY_FILE.
    """
    name = variable.removesuffix(SUFFIX)
    if name == variable or variable.lower() in fields:
        return None
    if field := fields.get(name.lower()):
        return None if is_secret(field) else f"{name} is no secret, and comes from no file"
    if delimiter and not _is_anothers(name) and name.lower().partition(delimiter.lower())[0] in fields:
        return f"{name} is a part of a setting, and comes from no file"
    begins_alike = [each for each in secrets if name.partition("_")[0] == each.partition("_")[0]]
    if meant := _nearly(name, secrets, ALIKE) or ([] if _is_anothers(name) else begins_alike):
        return f"nothing reads it; did you mean {meant[0]}{SUFFIX}?"
    return None


def _nearly(name: str, secrets: Sequence[str], cutoff: float) -> Sequence[str]:
    """The secret that is spelled nearly like this name, if there is one.

    A name of another program must be closer, and with a word more it is one of its own:
    OTEL_EXPORTER_OTLP_LOGS_HEADERS is no OTEL_EXPORTER_OTLP_HEADERS.
    """
    if _is_anothers(name):
        secrets = [each for each in secrets if each.count("_") >= name.count("_")]
        cutoff = TYPO
    return difflib.get_close_matches(name, secrets, n=1, cutoff=cutoff)


def _is_anothers(name: str) -> bool:
    return name.startswith(OTHERS)
