"""`worker-next` on this machine: a part of its stack, whose model is written down in the stack's folder."""

from abc import abstractmethod

from stack.interface import NEXT, Stack
from stack.models import Models
from stack.site import Site
from stack.under_way import require_none_under_way


class LocalNext(Stack):
    """What the embedded stack and compose have in common."""

    site: Site
    _models: Models

    def next_model(self) -> str:
        return self._models.next

    def start_next(self, model: str) -> None:
        self.site.agree()
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
