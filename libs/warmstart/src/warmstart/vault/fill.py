"""Puts what a vault has into settings."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from warmstart.lifecycle.fatal import Fatal
from warmstart.settings.secret_files import SecretFiles, is_secret
from warmstart.settings.service import ServiceSettings, problems

S = TypeVar("S", bound=ServiceSettings)


def lacking(settings: ServiceSettings) -> list[str]:
    """The names of secrets that neither a variable nor a file gave."""
    fields = type(settings).model_fields
    return [name for name, field in fields.items() if is_secret(field) and name not in settings.given]


def filled(settings: S, values: Mapping[str, str]) -> S:
    """Settings that have these values besides. Raises Fatal, naming each one that can't be used."""
    given = {name: getattr(settings, name) for name in settings.given}
    try:
        whole = type(settings)(**given, **{name: _read(settings, name, text) for name, text in values.items()})
        whole.refuse_empty()
    except ValidationError as error:
        raise Fatal(f"{settings.secrets_from}: {'; '.join(problems(error))}") from None
    except ValueError as error:
        raise Fatal(f"{settings.secrets_from}: {error}") from None
    return whole


def fill(settings: ServiceSettings, values: Mapping[str, str]) -> None:
    """The same, in place: who holds these settings has the values too. They are enough to serve with, or it raises."""
    whole = filled(settings, values)
    try:
        whole.check_serving()
    except ValueError as error:
        raise Fatal(f"{settings.secrets_from}: {error}") from None
    settings.fill_in({name: getattr(whole, name) for name in values})


def _read(settings: ServiceSettings, name: str, text: str) -> Any:
    """As it would be read from a file: a list is JSON."""
    files, field = SecretFiles(type(settings)), type(settings).model_fields[name]
    try:
        return files.prepare_field_value(name, field, text, files.field_is_complex(field))
    except ValueError:  # its text may hold the secret
        raise ValueError(f"{name.upper()}: not JSON") from None
