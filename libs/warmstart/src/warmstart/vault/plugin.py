"""The resource `secrets`: what a vault has, before any other resource opens."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from warmstart.errors import Unavailable
from warmstart.lifecycle.fatal import Fatal
from warmstart.lifecycle.place import Kept
from warmstart.lifecycle.resources import Resource
from warmstart.settings.service import ServiceSettings
from warmstart.settings.vault_address import parse
from warmstart.vault.errors import Away
from warmstart.vault.fetch import fetching
from warmstart.vault.fill import fill, lacking
from warmstart.vault.known import Known

NAME = "secrets"
ATTEMPT = 10.0  # seconds: it asks for a token, for the list of names, and for each secret
SIBLING_POLL = 0.05  # seconds between two looks at what another process of the pod was told

Taker = Callable[[], object]


@dataclass(frozen=True)
class Filled:
    """The names of the settings that the vault has filled."""

    vault: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(each.upper() for each in self.names) or 'nothing'} from {self.vault}"


class Secrets:
    """A plug-in of the lifecycle. `takers` are called when the settings are whole."""

    def __init__(self, settings: ServiceSettings, vault: str, takers: Sequence[Taker]) -> None:
        self._settings = settings
        self._address = parse(vault)
        self._takers = takers
        self._ends: float | None = None  # by the monotonic clock
        self._running: Future[dict[str, str]] | None = None  # nothing can interrupt it
        self._why = f"{self._address}: no answer yet to another process"

    def over(self, resources: Sequence[Resource[Any]]) -> tuple[Resource[Any], ...]:
        """Return the resources, each after the one that fetches secrets."""
        later = (replace(each, after=(*each.after, NAME)) for each in resources)
        return Resource(NAME, self._open, describe=str), *later

    def unready(self) -> None:
        """The resource says it."""

    @asynccontextmanager
    async def _open(self, app: Any) -> AsyncIterator[Filled]:
        """Raises Fatal for what can't be used, and when the vault was away for `SECRETS_TIMEOUT`."""
        values = await self._values(app)
        if operators := getattr(app.state, "operators", None):  # of `install`
            operators.keys.take()
        for each in self._takers:
            each()
        yield Filled(str(self._address), tuple(sorted(values)))

    async def _values(self, app: Any) -> dict[str, str]:
        """What is kept, or else fetched: by one process of the pod, while its siblings wait.

        What the vault said to one of them counts for all: none asks again before it wants.
        """
        kept: Kept = app.state.lifecycle.place.kept
        ends = self._ends = self._ends or time.monotonic() + self._settings.secrets_timeout
        while True:
            with kept.held() as mine:
                if mine:
                    known = Known.of(kept)
                    if known.values is not None:
                        fill(self._settings, known.values)
                        return known.values
                    self._why = known.why or self._why
                    now = time.monotonic()
                    if known.not_before <= now < ends:
                        return await self._asked(kept, min(ATTEMPT, ends - now))
            if time.monotonic() >= ends:
                raise self._missed(self._why)
            await asyncio.sleep(SIBLING_POLL)

    async def _asked(self, kept: Kept, limit: float) -> dict[str, str]:
        try:
            values = await self._fetched(limit)
        except Away as away:
            Known(why=str(away), not_before=time.monotonic() + away.retry_after).keep(kept)
            raise self._missed(str(away)) from None
        fill(self._settings, values)
        Known(values).keep(kept)
        return values

    async def _fetched(self, limit: float) -> dict[str, str]:
        """What `fetch` returns or raises, or Away after `limit` seconds; then it runs on, and the next call has it."""
        running = self._running = self._running or fetching(self._address, lacking(self._settings))
        try:
            async with asyncio.timeout(limit):
                return await asyncio.wrap_future(running)
        except TimeoutError:
            raise Away(f"{self._address}: no answer within {limit:.1f} s") from None
        finally:
            if running.done():
                self._running = None

    def _missed(self, why: str) -> Exception:
        """What to raise: hopeless when the time is over. A process that must not give up begins anew."""
        self._why = why
        if self._ends is None or time.monotonic() < self._ends:
            return Unavailable(why)
        self._ends = None
        return Fatal(f"SECRETS_TIMEOUT: {self._settings.secrets_timeout:g} s are over; {why}")


def vault(settings: ServiceSettings, *takers: Taker) -> list[Secrets]:
    """The plug-in for `Lifecycle(…, plugins=…)`, the last of them; none unless SECRETS_FROM is set.

    `settings` get the vault's values in place. `takers` are called then: they give them to what was made before.
    """
    return [Secrets(settings, settings.secrets_from, takers)] if settings.secrets_from else []
