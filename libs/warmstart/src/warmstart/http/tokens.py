"""The bearer tokens of a secret setting."""

from pydantic import SecretStr
from starlette.types import Scope

from warmstart.http.bearer import Bearers, digest_of
from warmstart.settings.service import words, words_of
from warmstart.settings.watched import Watched


class WatchedTokens:
    """The tokens of the setting `name`; those of its file as it is by now."""

    def __init__(self, name: str, secret: SecretStr | None) -> None:
        self._name = name
        self._known = Bearers[bool]()
        self._use(words_of(secret))

    def has(self, scope: Scope) -> bool:
        """Whether a request has one of them."""
        return bool(self._known.of(scope))

    async def watch(self, _: object = None) -> None:
        """Follow the file for ever; return at once where there is none."""
        await Watched(self._name, lambda text: self._use(words(text))).watch()

    def _use(self, tokens: list[str]) -> None:
        self._known.replace((digest_of(token), True) for token in tokens)
