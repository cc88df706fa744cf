"""The bearer tokens of a secret setting."""

from pydantic import SecretStr
from starlette.types import Scope

from warmstart.http.bearer import Bearers, digest_of
from warmstart.settings.service import ServiceSettings, words, words_of
from warmstart.settings.watched import Watched


class WatchedTokens:
    """The tokens of the setting `name`; those of its file as it is by now."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self._name = name
        self._settings = settings
        self._known = Bearers[bool]()
        self.take()

    def take(self) -> None:
        """Know those that the settings have by now: a vault fills them in when the service has begun."""
        secret: SecretStr | None = getattr(self._settings, self._name)
        self._use(words_of(secret))

    def has(self, scope: Scope) -> bool:
        """Whether a request has one of them."""
        return bool(self._known.of(scope))

    async def watch(self, _: object = None) -> None:
        """Follow the file for ever; return at once where there is none."""
        await Watched(self._name, lambda text: self._use(words(text))).watch()

    def _use(self, tokens: list[str]) -> None:
        self._known.replace((digest_of(token), True) for token in tokens)
