"""The keys that count now."""

import logging
from collections.abc import Sequence

from api.keys.entries import Entry, by_digest, parse
from warmstart.http.bearer import Bearers
from warmstart.settings.watched import Watched

log = logging.getLogger("api.keys")


class KnownKeys:
    """The keys of `API_KEYS`; those of `API_KEYS_FILE` as its file has them by now."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = list(entries)
        self.known = Bearers(by_digest(self._entries))

    def take(self, entries: Sequence[Entry]) -> None:
        """Know these, which a vault has."""
        self._entries = list(entries)
        self.known.replace(by_digest(self._entries))

    async def watch(self, _: object = None) -> None:
        """Follow the file for ever; return at once where there is none."""
        await Watched("api_keys", self._use).watch()

    def _use(self, text: str) -> None:
        """Raises ValueError, and changes nothing, for a text that can't be understood."""
        try:
            entries = parse(text)
        except ValueError as error:
            raise ValueError(f"API_KEYS_FILE: {error}") from None
        if entries == self._entries:
            return
        before, after = {each.name: each for each in self._entries}, {each.name: each for each in entries}
        changes = {
            "added": after.keys() - before.keys(),
            "changed": {name for name in after.keys() & before.keys() if after[name] != before[name]},
            "revoked": before.keys() - after.keys(),
        }
        self._entries = entries
        self.known.replace(by_digest(entries))
        said = "; ".join(f"{what} {', '.join(sorted(names))}" for what, names in changes.items() if names)
        log.warning("API keys: %s; %d left", said, len(entries))
