"""A call at which the worker fails: other calls may succeed, since perhaps one of its inputs is the reason."""

import re
from collections.abc import Sequence
from typing import Any

from contract.call import TEXTS, TOKEN_IDS
from warmstart.errors import DependencyUnavailable

_INPUTS = re.compile(rf"^(?:{TEXTS}|{TOKEN_IDS})(?:\.(\d{{1,6}}))?\b")  # how the worker names all, or one


class CallFailed(DependencyUnavailable):
    """The worker answered this call with an error, or its connections broke, as those of a process that dies do.

    `param` is the worker's name for an input. `place` is the index of that input in the call, None if it names no one.
    """

    def __init__(self, reason: str, param: str | None = None) -> None:
        super().__init__("worker", reason)
        named = _INPUTS.match(param or "")
        self.place = int(named[1]) if named and named[1] else None
        self.suspects: Sequence[Any] = ()  # see `among`

    def among(self, keys: Sequence[Any]) -> None:
        """Note which of these keys, one for each input, may be the reason: that of the named input, or else all."""
        if self.place is not None and self.place < len(keys):
            self.suspects = [keys[self.place]]
        else:
            self.place, self.suspects = None, keys

    def told(self, whole: str, one: str | None) -> DependencyUnavailable:
        """The error in the caller's words: its names of all inputs, and of the one that the worker named, if any.

        The worker would fail at that `one` again: no Retry-After invites the caller to try.
        """
        reason = _INPUTS.sub(one or whole, self.reason)
        return DependencyUnavailable("worker", reason, param=one, retry_after=None if one else 1)


class Refused(CallFailed):
    """The worker takes no such call, however often it is asked."""
