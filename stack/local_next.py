"""What the embedded stack and compose share: guards of a start, and `worker-next`, whose model is written down."""

import os
from abc import abstractmethod
from collections.abc import Mapping

from stack.interface import NEXT, NOTHING, SERVICES, Part, Stack
from stack.models import Models
from stack.ports import require_distinct
from stack.site import Site
from stack.under_way import require_none_under_way


class LocalNext(Stack):
    """A stack on this machine."""

    site: Site
    _models: Models
    _environment: Mapping[str, str]

    def restart(self, part: Part, *, wait: bool = True, environment: Mapping[str, str] = NOTHING) -> int | None:
        self._require_guards(part, environment)  # before it is stopped
        return super().restart(part, wait=wait, environment=environment)

    def _require_guards(self, part: Part, environment: Mapping[str, str] = NOTHING) -> None:
        """Raise StackError when a service would be started without what protected it."""
        if part in (*SERVICES, NEXT):
            self.site.guards.require(self._given(environment), "worker" if part == NEXT else part)

    def _given(self, environment: Mapping[str, str] = NOTHING) -> dict[str, str]:
        """What a service would be started with."""
        return {**os.environ, **self._environment, **environment}

    def _asked(self) -> tuple[Part, ...]:
        """What `up` starts. The port of any other part is anybody's."""
        return (*self.parts, NEXT) if self._models.next else self.parts

    def next_model(self) -> str:
        return self._models.next

    def start_next(self, model: str) -> None:
        self.site.agree()
        require_distinct(self.site.ports, (*self.parts, NEXT), "make down first, then ")  # `up` needed no port for it
        known, model = self._models.next, self._recorded(model)
        if known != model and (known or self.pids(NEXT)):
            require_none_under_way(self.next_serves, known)
            self.stop_next()
        if self.pids(NEXT):
            return
        self._models.note(next=model)
        try:
            self._make_next()
            self._models.note(next=self._recorded(model))
            self.start(NEXT)
        except BaseException:
            if known != model:  # otherwise searches may need it, now or after the next `up`
                self.stop_next()
            raise

    def stop_next(self) -> None:
        self.stop(NEXT)
        self._models.note(next="")

    @abstractmethod
    def _make_next(self) -> None:
        """Make what `worker-next` starts with."""

    @abstractmethod
    def _recorded(self, model: str) -> str:
        """A model's name as it is written down."""
