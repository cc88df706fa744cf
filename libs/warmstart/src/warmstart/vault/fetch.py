"""Asks a vault once for the secrets that a service lacks."""

import logging
from collections.abc import Collection
from concurrent.futures import Future
from importlib import import_module
from threading import Thread
from typing import Any, Protocol, cast

from pydantic import create_model
from pydantic_settings import BaseSettings, SettingsError

from warmstart.lifecycle.fatal import Fatal
from warmstart.settings.secret_files import is_text
from warmstart.settings.vault_address import VaultAddress
from warmstart.vault.errors import Away, line

LIMIT = 5.0  # seconds for one answer of the vault


class _Cloud(Protocol):
    """A module such as `warmstart.vault.azure`, which imports that cloud's client library."""

    LOGGERS: tuple[str, ...]

    def ask(self, place: str, model: type[BaseSettings], limit: float) -> dict[str, Any]: ...

    def judged(self, error: Exception) -> Exception | None: ...


def fetch(address: VaultAddress, names: Collection[str]) -> dict[str, str]:
    """The values that the vault has for settings, by their names. What it has besides is ignored.

    Blocks for seconds, imports included. Raises Fatal, or Away; their texts quote no value.
    """
    cloud = _imported(address)
    for each in cloud.LOGGERS:
        logging.getLogger(each).setLevel(logging.CRITICAL)
    # Of text, whatever the settings are: pydantic-settings would ask for every secret in order to fill a nested one.
    fields: dict[str, Any] = dict.fromkeys(names, (str | None, None))
    model = create_model("Secrets", __base__=BaseSettings, **fields)
    try:
        found = cloud.ask(address.place, model, LIMIT)
    except Exception as error:  # noqa: BLE001 - whatever it is, no value is known
        raise _meant(cloud, error, address) from None
    return {name: _text(value, name, address) for name, value in found.items() if value is not None}


def fetching(address: VaultAddress, names: Collection[str]) -> Future[dict[str, str]]:
    """What `fetch` returns or raises, from a thread of its own: an executor's would keep the process from its exit."""
    answer: Future[dict[str, str]] = Future()
    answer.set_running_or_notify_cancel()  # nobody can cancel it

    def ask() -> None:
        try:
            answer.set_result(fetch(address, names))
        except Exception as error:  # noqa: BLE001 - it is raised by whoever waits
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    return answer


def _imported(address: VaultAddress) -> _Cloud:
    try:
        return cast("_Cloud", import_module(f"warmstart.vault.{address.cloud}"))
    except ImportError as error:
        raise Fatal(f"{error.name} is not installed: pip install 'warmstart[{address.cloud}]'") from None


def _meant(cloud: _Cloud, error: Exception, address: VaultAddress) -> Exception:
    if isinstance(error, SettingsError) and isinstance(error.__cause__, Exception):  # of the call for one field
        error = error.__cause__
    meaning = error if isinstance(error, Fatal | Away) else cloud.judged(error)
    if meaning is None:  # its text may quote a value
        meaning = Fatal(f"{type(error).__name__} in the client library")
    said = f"{address}: {line(meaning)}"
    return Away(said, meaning.retry_after) if isinstance(meaning, Away) else Fatal(said)


def _text(value: object, name: str, address: VaultAddress) -> str:
    if not isinstance(value, str) or not is_text(value):
        raise Fatal(f"{address}: {name.upper()} is not text")
    if not value.strip():
        raise Fatal(f"{address}: {name.upper()} is empty")
    return value.strip()
