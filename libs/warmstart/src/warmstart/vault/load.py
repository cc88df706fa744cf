"""Settings with the vault's secrets, for command lines."""

import sys
import time
from typing import TypeVar

from warmstart.lifecycle import backoff
from warmstart.lifecycle.fatal import Fatal
from warmstart.settings import service
from warmstart.settings.vault_address import VaultAddress, parse
from warmstart.vault.errors import Away
from warmstart.vault.fetch import fetching
from warmstart.vault.fill import filled, lacking

S = TypeVar("S", bound=service.ServiceSettings)


def load(settings: type[S]) -> S:
    """As `warmstart.settings.service.load`, and with what the vault of SECRETS_FROM has.

    A vault that is away is asked again for `SECRETS_TIMEOUT`. Without the secrets: one line, and exit with status 3.
    """
    loaded = service.load(settings)
    if loaded.secrets_from is None:
        return loaded
    try:
        return filled(loaded, _patiently(loaded, parse(loaded.secrets_from)))
    except (Fatal, Away) as error:
        sys.stderr.write(f"SECRETS_FROM: {error}\n")
    raise SystemExit(service.START_FAILED)


def _patiently(settings: service.ServiceSettings, vault: VaultAddress) -> dict[str, str]:
    ends, attempt = time.monotonic() + settings.secrets_timeout, 0
    while True:
        attempt += 1
        try:
            return _asked(vault, lacking(settings), ends)
        except Away as away:
            pause = max(away.retry_after, backoff.pause(attempt))
            if time.monotonic() + pause >= ends:
                raise
            time.sleep(pause)


def _asked(vault: VaultAddress, names: list[str], ends: float) -> dict[str, str]:
    """What `fetch` returns or raises, or Away when the time is over: a client library's limits are for parts of it."""
    try:
        return fetching(vault, names).result(ends - time.monotonic())
    except TimeoutError:
        raise Away(f"{vault}: no answer in time") from None
