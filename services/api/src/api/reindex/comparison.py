"""Compares what searches find in both spaces, so that a person can judge: no figure says which model is right."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from api.embedding import Embedding
from api.reindex.output import Output
from api.store.backfill import Found
from api.store.search import search

BEST = 10  # results of each search
CHARACTERS = 200  # of a query that is made of a document
SHOWN = 3  # queries, those with the lowest overlap
CLASSES = ((10, 10), (8, 9), (5, 7), (0, 4))


@dataclass(frozen=True)
class Compared:
    """One query, as it may be shown, and the ids of what was found in the old and in the new space, best first."""

    query: str
    old: Sequence[str]
    new: Sequence[str]

    @property
    def overlap(self) -> int:
        """How many documents both have found."""
        return len({*self.old} & {*self.new})


def first_sentence(text: str) -> str:
    """What a document's text begins with: often what it is about."""
    return re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0][:CHARACTERS].strip()


async def find(engine: AsyncEngine, space: str, queries: Mapping[str, Embedding]) -> dict[str, list[str]]:
    """What searches for these vectors find in a space, whether it is served or not."""
    found = {}
    for name, vector in queries.items():
        matches = await search(engine, vector, space, limit=BEST, equals={}, any_space=True)
        found[name] = [each.id for each in matches]
    return found


def tell(output: Output, compared: Sequence[Compared], names: tuple[str, str], kind: str) -> None:
    """Say how far both agree, and where least. `names` are the models', `kind` says what the queries are."""
    mean = sum(each.overlap for each in compared) / len(compared)
    output.line(f"Compared the best {BEST} of {len(compared)} queries ({kind}) in both spaces:")
    output.line(f"  overlap: {mean:.1f} of {BEST} on average")
    for low, high in CLASSES:
        number = sum(low <= each.overlap <= high for each in compared)
        output.line(f"  {low if low == high else f'{low} to {high}':>7}: {number} queries")
    output.line("  the lowest overlap:")
    for each in sorted(compared, key=lambda one: one.overlap)[:SHOWN]:
        output.line(f"  {each.overlap}, {each.query}")
        for name, ids in zip(names, (each.old, each.new), strict=True):
            output.line(f"      {name}: {' '.join(ids)}")


def from_documents(documents: Sequence[Found]) -> tuple[list[Found], str]:
    """Queries with what may be shown of them, the document's id; and what kind they are."""
    made = [Found(f"the document {each.id}", first_sentence(each.text)) for each in documents]
    return [each for each in made if each.text], f"the first sentences of documents, {CHARACTERS} characters at most"


def from_lines(lines: Sequence[str]) -> tuple[list[Found], str]:
    """The same of a file's lines, which may be shown."""
    made = {line.strip(): None for line in lines if line.strip()}
    return [Found(each, each) for each in made], "of the file"
