"""Embeds texts for the job: past overload, outages, a worker with another model, and texts that end a worker."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from api.call_failed import Refused
from api.embedding import Embedding
from api.reindex.calls import LEAST, TOKENS, next_call
from api.reindex.outage import Outage
from api.reindex.skipped import Skipped
from api.reindex.workers import Workers
from api.store.backfill import Found
from api.worker_answer import OtherModel
from api.worker_client import WorkerClient
from contract.lane import Lane
from contract.model import ModelInfo
from warmstart.errors import DeadlineExceeded, DependencyUnavailable, Overloaded, PayloadTooLarge
from warmstart.lifecycle.health import reason

AT_ONCE = 2  # calls: while the vectors of one go to Postgres, the worker computes those of the other
TRIES = 3  # for a text alone, each with a worker that has just embedded another one
PAUSE = 0.1  # seconds, after the answer of a worker of another model behind the same address
UNTOLD = 10.0  # seconds of overload
LONGEST_WAIT = 30.0  # seconds, whatever an overloaded worker asks for
FAILURES = (DependencyUnavailable, DeadlineExceeded, PayloadTooLarge)
PROBE = [Found("", "Is somebody there?")]

Embedded: TypeAlias = list[tuple[Found, Embedding]]


@dataclass(kw_only=True)
class Embedder:
    """Embeds in one space, behind the prompt of one name; texts that fail alone are added to `skipped`.

    `name` is the model's, for people; `seconds` is the time limit of one call.
    """

    workers: Workers
    space: str
    name: str
    prompt: str
    seconds: float
    skipped: Skipped
    outage: Outage
    _client: WorkerClient | None = None
    _model: ModelInfo = field(init=False)  # of the space, whatever a later look at the client's address meets
    _tokens: int = TOKENS  # of one call
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def embed(self, found: Sequence[Found]) -> Embedded:
        """All but those that are skipped. It waits as long as no worker serves the space."""
        client = self._client or await self._find()
        short = [each for each in found if self._fits(each, self._model.max_text_characters)]
        embedded: Embedded = []
        while short:
            call = next_call(short, self._model, self._tokens)
            short = short[len(call) :]
            try:
                async with self._free:
                    embedded += await self._ask(self._client or client, call)
            except FAILURES as error:
                if isinstance(error, PayloadTooLarge):  # for a worker that is slow now
                    self._tokens = max(LEAST, self._tokens // 2)
                async with self._all():
                    embedded += await self._apart(call)
        return embedded

    def _fits(self, found: Found, limit: int) -> bool:
        if (size := len(found.text)) > limit:
            self.skipped.add(found, f"it has {size} characters; the worker's limit is {limit}")
        return size <= limit

    async def _ask(self, client: WorkerClient, call: Sequence[Found]) -> Embedded:
        prompt = self.prompt if self._model.prompts.any else None
        texts = [each.text for each in call]
        began = time.monotonic()
        while True:
            try:
                answer = await client.embed(texts, self.seconds, lane=Lane.BULK, prompt=prompt, space=self.space)
            except Overloaded as error:
                if time.monotonic() > began + UNTOLD:
                    self.outage.begins(f"the model {self.name}: {error.message}")
                await asyncio.sleep(min(error.retry_after or 1.0, LONGEST_WAIT))
                continue
            self.outage.is_over()
            return list(zip(call, answer.embeddings, strict=True))

    async def _find(self) -> WorkerClient:
        """Wait for a worker that embeds in the space."""

        async def find() -> WorkerClient:
            client = await self.workers.of(self.space, self.name)
            self._model = client.model
            try:
                await self._ask(client, PROBE)
            except (DeadlineExceeded, OtherModel) as error:
                raise DependencyUnavailable(f"the model {self.name}", error.message) from error
            return client

        self._client = await self.outage.outlast(find)
        return self._client

    async def _apart(self, call: Sequence[Found]) -> Embedded:
        """Find the texts that fail a call, which may have ended worker after worker. No other call is under way."""
        left = TRIES if len(call) == 1 else 1
        while left:
            client = await self._find()
            try:
                return await self._ask(client, call)
            except OtherModel:
                await asyncio.sleep(PAUSE)
            except FAILURES as error:
                left -= 1
                if len(call) == 1 and (not left or isinstance(error, Refused | PayloadTooLarge)):
                    self.skipped.add(call[0], f"the worker fails at it: {reason(error)}")
                    return []
        half = len(call) // 2
        return [*await self._apart(call[:half]), *await self._apart(call[half:])]

    @asynccontextmanager
    async def _all(self) -> AsyncIterator[None]:
        """No call of another task is under way inside."""
        async with self._alone:  # two that each had a part would wait for each other
            for _ in range(AT_ONCE):
                await self._free.acquire()
            try:
                yield
            finally:
                for _ in range(AT_ONCE):
                    self._free.release()
