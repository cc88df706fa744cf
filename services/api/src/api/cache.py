"""Embeddings in Redis: token count and packed vector under the name of the space and the text's hash.

The cache never fails a request: when Redis is slow, fails or is absent, the look-up is a miss, and is counted.
"""

import array
import asyncio
import hashlib
import logging
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api import metrics
from api.embedding import Embedding, Item
from api.lookups import Lookups
from api.redis_connection import CONNECTION_IS_STALE, replace_connections
from api.redis_health import words
from api.told import Told
from contract.answer import FLOAT_BYTES
from warmstart.traces import now

log = logging.getLogger("api.cache")

TOKENS = struct.Struct("<I")
AFTER = 3  # turns of the event loop, the second of which sends the answer: a write takes 0.15 ms of it
WAIT = 2.0  # seconds for those ahead: 32 calls of 2,048 known texts at once take 0.6 s (2 cores)
TOGETHER = 256  # texts written in one call, unless one request alone has more
PENDING_WRITES = 64  # requests whose misses wait to be written; with 256 texts of 384 dimensions each they hold 25 MB
MGET = {"db.system.name": "redis", "db.operation.name": "MGET"}  # OpenTelemetry's semantic conventions
FAILURES = (RedisError, OSError, TimeoutError)


def cache_key(space: str, item: Item, prompt: str = "") -> bytes:
    """The key of a text behind its prompt, as the model sees both, or of token ids, in a name space of their own."""
    if isinstance(item, str):
        return f"warmstart:{space}:text:{hashlib.sha256((prompt + item).encode()).hexdigest()}".encode()
    packed = array.array("Q", item).tobytes()
    return f"warmstart:{space}:ids:{hashlib.sha256(packed).hexdigest()}".encode()


def pack(embedding: Embedding) -> bytes:
    """The stored value: the token count as uint32, then the packed vector."""
    return TOKENS.pack(embedding.tokens) + embedding.packed


def unpack(value: bytes | str | None, dimensions: int) -> Embedding | None:
    """The stored embedding; None for no value, or for a value of another size."""
    if not isinstance(value, bytes) or len(value) != TOKENS.size + dimensions * FLOAT_BYTES:
        return None
    return Embedding(tokens=TOKENS.unpack_from(value)[0], packed=value[TOKENS.size :])


class Cache:
    """Reads before the answer, writes after it, from a bounded queue.

    A call takes at most `timeout` seconds, and the wait for those of other requests `WAIT`.
    """

    def __init__(self, client: Redis, *, ttl: float, timeout: float) -> None:
        self.client = client  # other programs may use the same Redis
        self._lookups = Lookups(client.mget, timeout)
        self._ttl_ms = round(ttl * 1000)
        self._timeout = timeout
        self._writes: asyncio.Queue[Mapping[bytes, Embedding]] = asyncio.Queue(PENDING_WRITES)
        self._taken: dict[bytes, Embedding] = {}  # from there, to be written now

    async def get(self, keys: Sequence[bytes], dimensions: int) -> dict[bytes, Embedding]:
        """The known embeddings of `keys`; none when Redis fails."""
        try:
            with now.span("MGET", MGET, "client"):
                async with asyncio.timeout(self._timeout + WAIT):
                    values = await self._lookups.get(keys)
        except FAILURES:
            metrics.CACHE_ERRORS.inc(len(keys))
            return {}
        unpacked = zip(keys, (unpack(value, dimensions) for value in values), strict=True)
        found = {key: embedding for key, embedding in unpacked if embedding}
        metrics.CACHE_HITS.inc(len(found))
        if misses := len(keys) - len(found):
            metrics.CACHE_MISSES.inc(misses)
        return found

    def put(self, embeddings: Mapping[bytes, Embedding]) -> None:
        """Queue embeddings to be written; they are dropped while Redis is too slow."""
        try:
            self._writes.put_nowait(embeddings)
        except asyncio.QueueFull:
            metrics.CACHE_DROPPED.inc(len(embeddings))

    async def write(self) -> None:
        """Write the queued embeddings, for ever."""
        told = Told(log)
        while True:
            embeddings = await self._next()
            try:
                await self._write(embeddings)
            except FAILURES as error:
                metrics.CACHE_FAILED.inc(len(embeddings))
                told.again(f"embeddings are not cached: {words(error)}")
                if isinstance(error, CONNECTION_IS_STALE):
                    with suppress(*FAILURES):
                        await replace_connections(self.client)
            else:
                metrics.CACHE_WRITTEN.inc(len(embeddings))
                told.well()
            self._taken = {}

    def close(self) -> None:
        """Count what nobody will write any more as dropped: the misses of the last requests before a stop."""
        while not self._writes.empty():
            self._taken.update(self._writes.get_nowait())
        metrics.CACHE_DROPPED.inc(len(self._taken))
        self._taken = {}

    async def _next(self) -> dict[bytes, Embedding]:
        """What waits to be written, after the answers with it have been sent."""
        embeddings = self._taken = dict(await self._writes.get())
        for _ in range(AFTER):
            await asyncio.sleep(0)
        while len(embeddings) < TOGETHER and not self._writes.empty():
            embeddings.update(self._writes.get_nowait())
        return embeddings

    async def _write(self, embeddings: Mapping[bytes, Embedding]) -> None:
        async with self.client.pipeline(transaction=False) as pipeline:
            for key, embedding in embeddings.items():
                # A pipeline awaits nothing here; the annotation also covers a client that does.
                _ = pipeline.set(key, pack(embedding), px=self._ttl_ms)
            answers = await pipeline.execute(raise_on_error=False)  # a raised error would quote the vector
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
