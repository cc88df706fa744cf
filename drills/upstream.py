"""The stand-in for a chat model behind the api of a drill (`stack.chat`): its switches, and what it counts."""

from typing import Any

from stack import Stack
from stack.http import ask
from stack.interface import CHAT

LIMIT = 5.0  # seconds


class Upstream:
    """That of a stack. It serves as by default until it is switched, and counts from now on."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.url(CHAT)
        self.switch()
        self._before = self._counted()

    def switch(self, **switches: object) -> None:
        """Have calls fail, open ones too; what isn't named is as by default. Raises RuntimeError."""
        answer = ask(f"{self._url}/switches", "PUT", switches, timeout=LIMIT)
        if answer.status != 200:
            raise RuntimeError(f"/switches answered {answer.status}: {answer.body[:300]!r}")

    @property
    def counts(self) -> dict[str, int]:
        """What has become of the calls since the drill began."""
        return {name: number - self._before[name] for name, number in self._counted().items()}

    def _counted(self) -> Any:
        return ask(f"{self._url}/counts", timeout=LIMIT).json()
