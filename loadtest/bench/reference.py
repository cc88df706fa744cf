"""What an idle worker says of each sentence: under load it must say the same."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.connection import Answer, Connection
from loadtest.bench.dialects import BINARY, WORKER
from loadtest.bench.texts import sentences

REQUEST = 32  # texts
ASK = replace(WORKER, accept=BINARY)
# In bf16 a vector depends on what it was batched with: cosines of 0.9998 to itself were seen. The nearest other
# sentence is what a mix-up would give.
SAME = 0.999


@dataclass(frozen=True)
class Reference:
    """Unit vectors and token counts of the sentences, in their order."""

    vectors: NDArray[np.float32]
    tokens: list[int]

    def wrong(self, numbers: Iterable[int], answer: Answer) -> tuple[int, float]:
        """How many of an answer's vectors are not those of the sentences of these numbers, and the lowest cosine."""
        own = list(numbers)
        rows = np.frombuffer(answer.body, "<f4").reshape(len(own), -1)
        cosines = rows @ self.vectors.T
        to_own = cosines[np.arange(len(own)), own]
        return int(((cosines.argmax(axis=1) != own) | (to_own < SAME)).sum()), float(to_own.min())


async def ask_all(port: int) -> Reference:
    """Each sentence once, 32 at a time. Raises OSError for any answer but 200."""
    connection = await Connection.open(port)
    texts = sentences()
    vectors: list[NDArray[np.float32]] = []
    tokens: list[int] = []
    for start in range(0, len(texts), REQUEST):
        part = texts[start : start + REQUEST]
        answer = await connection.exchange(ASK.request(part))
        if answer.status != 200:
            raise OSError(f"{answer.status}: {answer.body[:200]!r}")
        vectors.append(np.frombuffer(answer.body, "<f4").reshape(len(part), -1))
        tokens += map(int, answer.headers["x-text-tokens"].split(","))
    connection.close()
    return Reference(np.concatenate(vectors), tokens)


def run_ask_all(port: int) -> Reference:
    """The same, outside an event loop."""
    return asyncio.run(ask_all(port))
