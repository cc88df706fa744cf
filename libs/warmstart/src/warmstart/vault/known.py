"""What the processes of a pod know of their vault, so that each need not ask for itself."""

import json
from dataclasses import asdict, dataclass, field
from typing import Self

from warmstart.lifecycle.place import Kept


@dataclass(frozen=True)
class Known:
    """The vault's values, or why there are none yet."""

    values: dict[str, str] | None = field(default=None, repr=False)  # by setting; secrets
    why: str = ""  # quotes no value
    not_before: float = 0.0  # when the vault may be asked again, by the monotonic clock, which all processes share

    @classmethod
    def of(cls, kept: Kept) -> Self:
        """Only while it is held."""
        text = kept.read()
        return cls(**json.loads(text)) if text else cls()

    def keep(self, kept: Kept) -> None:
        """Only while it is held."""
        kept.write(json.dumps(asdict(self)).encode())
