"""A call at which the worker fails: other calls may succeed, since perhaps one of its inputs is the reason."""

import re
from collections.abc import Sequence
from typing import Any

from api.embedding import Field
from contract.call import TEXTS, TOKEN_IDS
from contract.predict import FEATURES
from warmstart.errors import DependencyUnavailable

_INPUTS = re.compile(rf"(?:{TEXTS}|{TOKEN_IDS}|{FEATURES})(?:\.(\d{{1,6}}))?\b")  # how the worker names all, or one


class AtInput(DependencyUnavailable):
    """An input may be the reason. `param` is the worker's name for it, or for all; `place` is its index, if it is one.

    The worker counts in its own call, which is no more than a part of the caller's.
    """

    def __init__(self, name: str, reason: str, param: str | None = None) -> None:
        super().__init__(name, reason)
        named = _INPUTS.match(param or "")
        self.place = int(named[1]) if named and named[1] else None
        self._name, self._param = name, named[0] if named else ""

    def place_in(self, size: int) -> int | None:
        """The index of the named input in its call of `size` inputs, or None: a worker may name one that it lacks."""
        return self.place if self.place is not None and self.place < size else None

    def told(self, field: Field, place: int | None) -> DependencyUnavailable:
        """The error in the caller's words; `place` is where the caller has the input that the worker named, if any.

        The worker would fail at that input again: no Retry-After invites the caller to try.
        """
        one = None if place is None else field.of(place)
        reason = self.reason.replace(self._param, one or field.whole, 1) if self._param else self.reason
        return DependencyUnavailable(self._name, reason, param=one, retry_after=None if one else 1)


class CallFailed(AtInput):
    """The worker answered this call with an error, or its connections broke, as those of a process that dies do."""

    def __init__(self, reason: str, param: str | None = None) -> None:
        super().__init__("worker", reason, param)
        self.suspects: Sequence[Any] = ()  # see `among`

    def among(self, keys: Sequence[Any]) -> None:
        """Note which of these keys, one for each input, may be the reason: that of the named input, or else all."""
        self.place = self.place_in(len(keys))
        self.suspects = keys if self.place is None else [keys[self.place]]


class Refused(CallFailed):
    """The worker takes no such call, however often it is asked."""
