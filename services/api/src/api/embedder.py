"""Embeds the texts of a request: from the cache, from another request's call, or with the worker."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from fastapi import Request

from api.cache import Cache, cache_key
from api.call_failed import CallFailed
from api.embedding import Embedding, Field, Item
from api.flights import Computed, Flights, Key
from api.metrics import SAVED
from api.portions import portions, together
from api.singleflight import Flight
from api.worker_answer import OtherModel
from api.worker_client import WorkerClient
from contract.call import BYTES_PER_TOKEN, estimate
from contract.lane import Lane, by_size
from contract.model import ModelInfo
from contract.prompts import HEADER
from contract.saved import Saved
from warmstart.errors import DependencyUnavailable, PayloadTooLarge
from warmstart.http.deadline import remaining
from warmstart.http.disconnect import unless_disconnected
from warmstart.http.timing import Timings

STAGES = ("cache", "tokenize", "queue", "inference")


@dataclass(frozen=True)
class Embedded:
    """One embedding per item, in order, all of the space of `model`; `timings` has every one of `STAGES`."""

    embeddings: list[Embedding]
    model: ModelInfo
    timings: Timings

    @property
    def tokens(self) -> int:
        """Tokens of all items, including special ones, after truncation."""
        return sum(embedding.tokens for embedding in self.embeddings)


class CacheUse(NamedTuple):
    """The cache to look texts up in, and the one to store them in: the same, or none."""

    reads: Cache | None = None
    writes: Cache | None = None


class Embedder:
    """Embeds for one request: within its time budget, and not for a client that has left.

    While the worker is known to fail, what the cache knows is served. Anything else waits for a worker that restarts,
    as `Patience` allows, and is refused at once otherwise.
    """

    def __init__(
        self,
        request: Request,
        worker: WorkerClient,
        cache: CacheUse,
        flights: Flights,
        worker_failure: str | None = None,
    ) -> None:
        self.worker = worker
        self._request = request
        self._cache = cache
        self._flights = flights
        self.worker_failure = worker_failure

    @property
    def model(self) -> ModelInfo:
        """The model that the worker serves now."""
        return self.worker.model

    @property
    def worker_answers(self) -> bool:
        """Whether nothing is known against it."""
        return self.worker_failure is None and self.worker.patience.away is None

    async def embed(
        self, items: Sequence[Item], field: Field, lane: Lane | None = None, prompt: str | None = None
    ) -> Embedded:
        """Embed all items, equal ones once. `field` is the request's name for them.

        Without a `lane`, what the cache doesn't know waits at the worker in the lane of its size. Before each text goes
        the model's prompt of the name `prompt`, or its default one; before token ids, none.
        Raises BadRequest for a prompt that the model doesn't have, PayloadTooLarge, Overloaded, DeadlineExceeded,
        DependencyUnavailable, or ClientGone.
        """
        for _ in range(2):
            if embedded := await self._embed_as(self.model, items, field, lane, prompt):
                return embedded
            await self.worker.refresh()
        raise DependencyUnavailable("worker", "its model changed during the call")

    async def _embed_as(
        self, model: ModelInfo, items: Sequence[Item], field: Field, lane: Lane | None, prompt: str | None
    ) -> Embedded | None:
        """All of the space of `model`, or None when no worker of that one is left."""
        timings = Timings(dict.fromkeys(STAGES, 0.0))
        before = model.prompts.text(prompt, HEADER)
        keys = [cache_key(model.space, item, before) for item in items]
        wanted = dict(zip(keys, items, strict=True))
        known = await self._look_up(wanted, model, timings)
        _saved(Saved.DUPLICATE, len(items) - len(wanted))
        _saved(Saved.CACHE_HIT, len(known))
        missing = {key: item for key, item in wanted.items() if key not in known}
        if missing:
            if why := self.worker.patience.away or self.worker_failure:
                self.worker.patience.check(why, self._flights.waiting)
            try:
                with _named(field, keys):
                    computed = await unless_disconnected(self._request, self._compute(missing, model, lane, prompt))
            except OtherModel:
                return None
            for key, each in computed.items():
                known[key] = each.embedding
                for stage, took in each.timings.items():
                    timings[stage] = max(timings.get(stage, 0.0), took)
        return Embedded([known[key] for key in keys], model, timings)

    async def _look_up(
        self, wanted: Mapping[bytes, Item], model: ModelInfo, timings: Timings
    ) -> dict[bytes, Embedding]:
        if self._cache.reads is None:
            return {}
        began = time.perf_counter()
        known = await self._cache.reads.get(list(wanted), model.dimensions)
        timings["cache"] = time.perf_counter() - began
        return known

    async def _compute(
        self, missing: Mapping[bytes, Item], model: ModelInfo, asked: Lane | None, prompt: str | None
    ) -> dict[bytes, Computed]:
        # The worker judges each portion by the size of the whole call.
        around = model.special_tokens + len(model.prompts.text(prompt, HEADER)) // BYTES_PER_TOKEN
        whole = estimate(missing.values(), special=around, longest=model.max_tokens)
        named = prompt if model.prompts.any else None
        lane = asked or by_size(whole)
        _saved(Saved.SHARED, sum((lane, key) in self._flights for key in missing))

        loop = asyncio.get_running_loop()
        until = loop.time() + remaining(self._request)

        async def work(flight: Flight[Key, Computed]) -> dict[Key, Computed]:
            texts = [missing[key] for _, key in flight.keys]
            try:
                left = flight.until - loop.time()
                answer = await self.worker.embed(texts, left, whole, lane, named, space=model.space)
            except CallFailed as error:
                error.among(flight.keys)
                raise
            fresh = dict(zip(flight.keys, answer.embeddings, strict=True))
            if self._cache.writes:
                self._cache.writes.put({key: each for (_, key), each in fresh.items()})
            return {key: Computed(each, answer.timings) for key, each in fresh.items()}

        async def ask(keys: list[bytes]) -> dict[Key, Computed]:
            return await self._flights.run([(lane, key) for key in keys], work, until)

        answers = await together(ask, portions(missing))
        return {key: each for answer in answers for (_, key), each in answer.items()}


@contextmanager
def _named(field: Field, keys: Sequence[bytes]) -> Iterator[None]:
    """Name in errors what the request names its items with these keys: the worker knows its own calls only."""
    try:
        yield
    except PayloadTooLarge as error:
        raise PayloadTooLarge(error.message, param=field.whole, code=error.code) from error
    except CallFailed as error:
        raise error.told(field, None if error.place is None else keys.index(error.suspects[0][1])) from error


def _saved(reason: Saved, texts: int) -> None:
    if texts:
        SAVED[reason].inc(texts)
