"""Looks into the stack's Postgres: exact searches, memory, and sizes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import psutil

from loadtest.scale.corpus import LIMIT

MB = 1e6
SIZES = """
SELECT sum(pg_relation_size(c.oid)) FILTER (WHERE a.amname = 'hnsw') AS hnsw,
  sum(pg_relation_size(c.oid)) FILTER (WHERE a.amname <> 'hnsw' AND c.relkind = 'i') AS indexes,
  sum(pg_table_size(c.oid)) FILTER (WHERE c.relkind = 'r') AS tables
FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
WHERE c.relname LIKE 'documents%' OR c.relname LIKE 'embeddings%'
"""
# "0 +" keeps Postgres from using the HNSW index, whatever it costs otherwise.
EXACT = """
SELECT 1 - distance AS score FROM (
  SELECT 0 + (embeddings.embedding::vector({dimensions}) <=> '{query}') AS distance FROM embeddings {matching}
) AS all_of_them ORDER BY distance LIMIT {limit}
"""
MATCHING = "JOIN documents ON id = document_id WHERE metadata @> '{equals}'"


class Database:
    """One connection, beside those of the api."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def scores(self, query: Sequence[float], equals: Mapping[str, int]) -> list[float]:
        """Cosine similarities of the best `LIMIT` documents that match, by comparing all."""
        matching = MATCHING.format(equals=orjson.dumps(equals).decode()) if equals else ""
        sql = EXACT.format(dimensions=len(query), query=list(query), matching=matching, limit=LIMIT)
        return [row["score"] for row in await self._connection.fetch(sql)]

    async def sizes(self) -> dict[str, float]:
        """In MB (10⁶ bytes): HNSW indexes, other indexes, tables."""
        [row] = await self._connection.fetch(SIZES)
        return {f"{name}_mb": float(row[name] or 0) / MB for name in ("hnsw", "indexes", "tables")}

    async def settings(self) -> dict[str, str]:
        """Those of Postgres that matter here."""
        names = ("server_version", "shared_buffers", "work_mem", "max_parallel_workers_per_gather")
        return {name: await self._connection.fetchval(f"SHOW {name}") for name in names}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Database]:
    """A database by its URL, with SQLAlchemy's name of the driver or without."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield Database(connection)
    finally:
        await connection.close()


def memory(pids: Sequence[int]) -> dict[str, float]:
    """Resident MB of Postgres' processes: their own, and all with what they share, counted once."""
    own = everything = 0.0
    for pid in pids:
        try:
            found: Any = psutil.Process(pid).memory_full_info()
        except psutil.Error:  # a backend has ended
            continue
        own, everything = own + found.uss, everything + found.pss
    return {"postgres_own_mb": own / MB, "postgres_mb": everything / MB}
