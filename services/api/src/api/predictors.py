"""What workers classify embeddings with (`PREDICTOR`): some of them may have no predictor, or another one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import orjson
from aiohttp import ClientResponse

from api.call_failed import AtInput
from api.embedding import Embedding
from api.patience import LOOK, Patience
from api.prediction import Portion, Result, divided
from api.worker_answer import NoPredictor
from api.worker_sessions import Call, Fits
from contract.lane import Lane
from contract.model import ModelInfo
from contract.predict import PATH, PredictResponse
from warmstart.errors import DependencyUnavailable

Send: TypeAlias = Callable[[Call], Awaitable[tuple[ClientResponse, bytes]]]
Describe: TypeAlias = Callable[[Fits], Awaitable[ModelInfo]]


@dataclass(frozen=True)
class Predicted:
    """A result for each embedding, in order, all by the file of this `fingerprint`."""

    results: list[Result]
    model: str
    fingerprint: str


class Predictors:
    """The predictors of the replicas behind one URL.

    `send` gets a call answered; `describe` gives the model of a replica whose answer `fits`, if there is one. Where one
    has had a predictor and none has one now, it may be about to come or restart: calls wait for it, `patience` seconds
    at most.
    """

    def __init__(self, send: Send, describe: Describe, patience: float) -> None:
        self._send, self._describe = send, describe
        self._had = False  # one has been seen, ever
        self._seen = False  # and not so long ago that nobody waits for it any more
        self.patience = Patience("predictor", patience, self._find)

    def note(self, described: ModelInfo) -> None:
        """A worker has described itself."""
        if described.predictor:
            self._there()

    async def require(self) -> None:
        """Raise NoPredictor where there is none, and none that may be about to come back: nothing need be sent."""
        if self._seen:
            return
        try:
            async with asyncio.timeout(LOOK):
                await self._find()
        except NoPredictor:
            raise
        except (DependencyUnavailable, TimeoutError):
            return  # the call finds out by itself what is wrong with the worker

    async def classify(
        self, embeddings: Sequence[Embedding], space: str, ends: float, lane: Lane | None = None, *, waits: bool = True
    ) -> Predicted:
        """Classify embeddings of a `space`, all by one predictor, until `ends` in the event loop's time.

        Raises NoPredictor, at once unless it `waits`, and then without sending embeddings where there is known to be
        none; OtherPredictor when it is none for this space; and what `WorkerClient.send` raises.
        """
        if not waits:
            await self.require()  # who waits has asked before anything was embedded
        for _ in range(2):
            if predicted := await self._by_one(embeddings, space, ends, lane, waits=waits):
                return predicted
        raise DependencyUnavailable("predictor", "it changed during the call")

    async def _by_one(
        self, embeddings: Sequence[Embedding], space: str, ends: float, lane: Lane | None, *, waits: bool
    ) -> Predicted | None:
        """None when another file answered another portion, and no worker with the first one was left."""
        results: list[Result] = []
        first: PredictResponse | None = None
        for part in divided(embeddings):
            portion = Portion(part, space, first.fingerprint if first else None)
            try:
                await self._ask(portion, ends, lane, waits=waits)
            except AtInput as error:
                named = error.place_in(len(part))
                error.place = None if named is None else len(results) + named
                raise
            if not portion.is_by_the_same:
                return None
            results += portion.results()
            first = first or portion.answer
        return Predicted(results, first.model, first.fingerprint) if first else None

    async def _ask(self, portion: Portion, ends: float, lane: Lane | None, *, waits: bool) -> None:
        payload = await portion.payload()
        loop = asyncio.get_running_loop()
        gives_up = loop.time() + self.patience.seconds
        while True:
            try:
                await self._send(
                    Call("POST", PATH, payload, ends, lane=lane, fits=portion.fits, accept="application/json")
                )
            except NoPredictor:
                missing = NoPredictor(had=self._had)
                if not waits:
                    self._missed()
                if not (waits and self._seen) or loop.time() >= gives_up:
                    raise missing from None
                await self._wait(missing)
            else:
                self._there()
                return

    async def _wait(self, missing: NoPredictor) -> None:
        try:
            await self.patience.wait(missing.reason)
        except DependencyUnavailable:
            self._seen = False
            raise missing from None

    def _missed(self) -> None:
        """None has one: that there was one is forgotten when nobody would wait for it any more."""
        self.patience.missed()
        if self.patience.is_over:
            self._seen = False

    def _there(self) -> None:
        self._had = self._seen = True
        self.patience.back()

    async def _find(self) -> None:
        """Return when a replica has one. Raises NoPredictor, or DependencyUnavailable when none can be asked."""
        described = await self._describe(_has_one)
        self.note(described)
        if not described.predictor:
            raise NoPredictor(had=self._had)


def _has_one(reply: ClientResponse, body: bytes) -> bool:
    """Whether a description names one. What is no description at all, `describe` reports."""
    if reply.status != 200:
        return True
    with suppress(ValueError, AttributeError):
        return bool(orjson.loads(body).get("predictor"))
    return True
