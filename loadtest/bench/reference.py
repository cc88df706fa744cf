"""The vectors that an idle worker gives for each sentence, for comparison under load."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.dialects import BINARY, WORKER
from loadtest.bench.texts import sentences
from loadtest.connection import Client
from loadtest.request import Maker, Request
from stack.http import Answer

REQUEST = 32  # texts
ASK = replace(WORKER, accept=BINARY)
# In bf16 a vector depends on the rest of its batch: cosines of 0.9998 to itself were seen. The nearest other
# sentence is what a mix-up would give.
SAME = 0.999


@dataclass(frozen=True)
class Reference:
    """Unit vectors and token counts of the sentences, in their order."""

    vectors: NDArray[np.float32]
    tokens: list[int]

    def wrong(self, numbers: Sequence[int], answer: Answer) -> int:
        """How many of an answer's vectors differ from those of the sentences with these numbers."""
        rows = np.frombuffer(answer.body, "<f4").reshape(len(numbers), -1)
        return int((np.einsum("ij,ij->i", rows, self.vectors[numbers]) < SAME).sum())

    def save(self, path: Path) -> None:
        """For `load`."""
        np.savez(path, vectors=self.vectors, tokens=self.tokens)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        found = np.load(path)
        return cls(found["vectors"], found["tokens"].tolist())


def asking(path: str) -> Maker:
    """Make requests of the open loop: 32 sentences, whose vectors must be those of the reference in the file."""
    reference = Reference.load(Path(path))

    def make(draw: random.Random, _number: int) -> Request:
        numbers = draw.sample(range(len(sentences())), REQUEST)

        def check(answer: Answer) -> str:
            wrong = reference.wrong(numbers, answer)
            return f"{wrong} vectors of another text" if wrong else ""

        return replace(ASK.asked([sentences()[number] for number in numbers]), check=check)

    return make


async def ask_all(port: int) -> Reference:
    """Ask for each sentence once, 32 at a time. Raises OSError for any answer but 200."""
    client = Client(port)
    texts = sentences()
    vectors: list[NDArray[np.float32]] = []
    tokens: list[int] = []
    for start in range(0, len(texts), REQUEST):
        part = texts[start : start + REQUEST]
        answer = await client.ask(ASK.request(part))
        vectors.append(np.frombuffer(answer.body, "<f4").reshape(len(part), -1))
        tokens += map(int, answer.headers["x-text-tokens"].split(","))
    client.close()
    return Reference(np.concatenate(vectors), tokens)


def run_ask_all(port: int) -> Reference:
    """The same, outside an event loop."""
    return asyncio.run(ask_all(port))
