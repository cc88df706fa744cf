"""Who may read what a service tells of its inside: `/metrics`, the details of `/startupz`, the reasons of `/readyz`."""

from collections.abc import Callable

from starlette.types import Scope

from warmstart.http.bearer import Bearers, digest_of
from warmstart.settings.service import ServiceSettings, words
from warmstart.settings.watched import Watched

Known = Callable[[Scope], object]
WITHHELD = "withheld"  # of the request's state


def nobody(_: Scope) -> None:
    """The application knows no callers of its own."""


class Operators:
    """In production, and wherever `OPERATOR_KEYS` is set, only who has one of its keys, or is `known` otherwise.

    Anywhere else everybody may. kube-apiserver does the same: the status of a probe is for everybody, its reasons not.
    """

    def __init__(self, settings: ServiceSettings, known: Known = nobody) -> None:
        keys = settings.operator_keys
        self._closed = keys is not None or settings.environment == "production"
        self._keys = Bearers[bool]()
        self._known = known
        self._use(keys.get_secret_value() if keys else "")

    def may_read(self, scope: Scope) -> bool:
        """Whether a request may."""
        return not self._closed or self.have(scope) or bool(self._known(scope))

    def have(self, scope: Scope) -> bool:
        """Whether a request has a key of `OPERATOR_KEYS`."""
        return bool(self._keys.of(scope))

    async def watch(self, _: object = None) -> None:
        """Follow the file of `OPERATOR_KEYS` for ever; return at once where there is none."""
        await Watched("operator_keys", self._use).watch()

    def _use(self, text: str) -> None:
        self._keys.replace((digest_of(key), True) for key in words(text))
