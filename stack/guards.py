"""What protects the services of a stack: settings without which they must not be started again.

A service reads the settings of the shell that starts it, and another shell than that of the first `make up` may lack
them: its api would serve everybody, and nothing would say so.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from stack.errors import StackError
from stack.interface import SERVICES, Part

NAMES = frozenset({"API_KEYS", "OPERATOR_KEYS", "QUOTA", "SECRETS_FROM", "WORKER_SECRET"})
SPELLINGS = frozenset(each for name in NAMES for whole in (name, f"{name}_FILE") for each in (whole, whole.lower()))


class Guards:
    """The names of those that `up` found for each service that it started, from then on until `down`.

    Args:
        file: keeps them; no value is written down.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def require(self, settings: Mapping[str, str], part: Part | None = None) -> None:
        """Raise StackError when one is missing from the settings of a start of this service, or of any."""
        known = self._known()
        needed = known.values() if part is None else [known.get(part, [])]
        if lost := sorted({name for names in needed for name in names} - _given(settings)):
            raise StackError(
                f"the services were started with {', '.join(lost)}, which this shell lacks: "
                f"set {'it' if len(lost) == 1 else 'them'} in the shell or in .env, or make down first"
            )

    def note(self, settings: Mapping[str, str], parts: Iterable[Part]) -> None:
        """Keep the names of those among the settings with which these services were started."""
        names = sorted(_given(settings))
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps({**self._known(), **dict.fromkeys(parts, names)}))
        unfinished.replace(self._file)

    def forget(self) -> None:
        """Let the next start have none."""
        self._file.unlink(missing_ok=True)

    def _known(self) -> dict[Part, list[str]]:
        try:
            known: dict[Part, list[str]] | list[str] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return known if isinstance(known, dict) else dict.fromkeys(SERVICES, known)  # a list: of the former version


def _given(settings: Mapping[str, str]) -> set[str]:
    """Those with a value, or with a file of one; names of settings count in any case."""
    return {name.upper().removesuffix("_FILE") for name, value in settings.items() if value} & NAMES
