"""The input and the result of an embedding."""

import binascii
import struct
from dataclasses import dataclass
from typing import TypeAlias

from contract.answer import FLOAT_BYTES

TokenIds: TypeAlias = tuple[int, ...]
Item: TypeAlias = str | TokenIds


@dataclass(frozen=True)
class Field:
    """The names in the request of all embedded items, and of one item, with `{}` for its index."""

    whole: str
    each: str

    def of(self, index: int) -> str:
        """The name of one item."""
        return self.each.format(index)


@dataclass(frozen=True, slots=True)
class Embedding:
    """A unit vector as little-endian float32, and how many tokens it was made of, after truncation.

    Special tokens count. The vector stays packed from the worker to the answer: most answers are base64,
    which needs no float objects.
    """

    tokens: int
    packed: bytes

    @property
    def dimensions(self) -> int:
        """How many numbers the vector has."""
        return len(self.packed) // FLOAT_BYTES

    def floats(self) -> list[float]:
        """The vector as Python floats."""
        return list(struct.unpack(f"<{self.dimensions}f", self.packed))

    def base64(self) -> str:
        """The packed vector in base64, as OpenAI's `encoding_format` has it."""
        return binascii.b2a_base64(self.packed, newline=False).decode()
