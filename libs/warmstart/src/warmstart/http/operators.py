"""Who may read what a service tells of its inside: `/metrics`, the details of `/startupz`, the reasons of `/readyz`."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Scope

from warmstart.http.tokens import WatchedTokens
from warmstart.settings.service import ServiceSettings

Known = Callable[[Scope], object]
WITHHELD = "withheld"  # of the request's state


def nobody(_: Scope) -> None:
    """The application knows no callers of its own."""


def withheld(request: Request) -> bool:
    """Whether this caller may not read the inside; outside of `Operations` everybody may."""
    return bool(getattr(request.state, WITHHELD, False))


class Operators:
    """In production, and wherever `OPERATOR_KEYS` is set, only who has one of its keys, or is `known` otherwise.

    A vault that hasn't answered yet may have such keys, too. Anywhere else everybody may. kube-apiserver does the same:
    the status of a probe is for everybody, its reasons not.
    """

    def __init__(self, settings: ServiceSettings, known: Known = nobody) -> None:
        self._settings = settings
        self.keys = WatchedTokens("operator_keys", settings)
        self._known = known

    def may_read(self, scope: Scope) -> bool:
        """Whether a request may."""
        settings = self._settings
        keyed = settings.operator_keys is not None or settings.awaits_secrets
        closed = keyed or settings.environment == "production"
        return not closed or self.keys.has(scope) or bool(self._known(scope))
