"""The only client of the worker: its model, its embeddings within a time budget, and patience while it restarts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Self

import orjson
from aiohttp import ClientError, ClientResponse
from fastapi import FastAPI
from pydantic import ValidationError

from api.call_failed import CallFailed
from api.embedding import Item
from api.patience import Patience
from api.predictors import Predictors
from api.settings import ApiSettings
from api.worker_answer import Answer, NoPredictor, NotLetIn, OtherModel, WorkerAway, is_of, read_answer, refusal
from api.worker_secret import WorkerSecret
from api.worker_sessions import FAILURES, UNSENT, Call, Fits, WorkerSessions
from contract import call, model, predict
from contract.lane import Lane
from contract.model import ModelInfo
from contract.prompts import FIELD
from warmstart.errors import DeadlineExceeded, DependencyUnavailable
from warmstart.lifecycle.health import reason


class WorkerClient:
    """Embeds through the worker, and knows which model it serves. It waits `patience` seconds for one that restarts."""

    model: ModelInfo  # as the worker last described it
    described = False  # whether it ever has

    def __init__(self, base_url: str, patience: float = 0, secret: WorkerSecret | None = None) -> None:
        self._sessions = WorkerSessions(base_url, secret or WorkerSecret())
        self.patience = Patience("worker", patience, self.refresh)
        self.predictors = Predictors(self.send, self._describe, patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.patience.close()
        await self.predictors.patience.close()
        await self._sessions.close()

    async def refresh(self) -> None:
        """Learn the worker's model. Raises DependencyUnavailable when the worker gives no proper answer."""
        try:
            self.model = await self._describe()
        except BaseException as error:  # also after an abandoned sample: the worker may have moved
            self._sessions.forget()
            if isinstance(error, TimeoutError | asyncio.CancelledError):
                self._sessions.doubt()
            self.patience.missed() if isinstance(error, WorkerAway) else self.patience.failed()
            raise
        self.described = True
        self.patience.back()
        self.predictors.note(self.model)

    async def _describe(self, fits: Fits | None = None) -> ModelInfo:
        """The model of a replica, of one whose answer `fits` if there is any."""
        try:
            response, body = await self._sessions.ask(Call("GET", model.PATH, fits=fits))
        except FAILURES as error:
            raise WorkerAway(reason(error)) from error
        except (ClientError, OSError) as error:
            raise DependencyUnavailable("worker", reason(error)) from error
        if response.status != 200:
            refused = refusal(response, body)
            if isinstance(refused, WorkerAway | NotLetIn):
                raise refused
            raise DependencyUnavailable("worker", f"it answered {response.status}")
        try:
            return ModelInfo.model_validate_json(body)
        except ValidationError as error:
            raise DependencyUnavailable("worker", "it did not describe its model") from error

    async def embed(
        self,
        items: Sequence[Item],
        budget: float,
        whole: int = 0,
        lane: Lane | None = None,
        prompt: str | None = None,
        *,
        space: str | None = None,
    ) -> Answer:
        """Embed texts, or token ids, within `budget` seconds, as part of a call of `whole` tokens in a `lane`.

        The worker puts the `prompt` of that name before each text, or without a name the model's default one. Replicas
        that serve another `space` are passed over.
        Raises OtherModel when no replica serves the space, PayloadTooLarge, Overloaded, DeadlineExceeded, or
        DependencyUnavailable.
        """
        kind = call.TEXTS if isinstance(items[0], str) else call.TOKEN_IDS
        ends = asyncio.get_running_loop().time() + budget
        content = {kind: items} if prompt is None else {kind: items, FIELD: prompt}
        fits = partial(is_of, space) if space else None
        response, body = await self.send(Call("POST", call.PATH, orjson.dumps(content), ends, whole, lane, fits=fits))
        return read_answer(response, body, len(items), space)

    async def send(self, asked: Call) -> tuple[ClientResponse, bytes]:
        """A good answer, in the call's time.

        Raises NoPredictor, OtherModel, PayloadTooLarge, Overloaded, DeadlineExceeded, or DependencyUnavailable.
        """
        asked.ready = self._ready
        limit = asyncio.timeout_at(asked.ends)
        try:
            async with limit:
                return await self._served(asked)
        except TimeoutError as error:
            # Not by the clock: uvloop's timers go off up to a millisecond early. As an error of the worker, it would
            # reach every request that shares the call, also those that have just come.
            if not limit.expired():
                raise _broken(asked, error) from error
            raise DeadlineExceeded("the worker did not answer within the request's time budget") from error
        except (ClientError, OSError) as error:
            raise _broken(asked, error) from error

    async def _served(self, asked: Call) -> tuple[ClientResponse, bytes]:
        """A good answer. Whenever no worker is there, or only one that starts, the call waits and is sent again."""
        while True:
            if self.patience.away:
                await self.patience.wait(self.patience.away)
            try:
                reply, body = await self._sessions.ask(asked)
            except UNSENT as error:
                why = reason(error)
            else:
                if reply.status == 200:
                    self.patience.back()
                    return reply, body
                refused = refusal(reply, body)
                if not isinstance(refused, WorkerAway):
                    raise refused
                why = refused.reason
            if asked.unfit:  # those that are there have no predictor, or another one; or another model
                raise NoPredictor if asked.path == predict.PATH else OtherModel
            self.patience.missed(asked.tried)
            await self.patience.wait(why)

    async def _ready(self) -> None:
        """Return when the worker answers; what else is wrong with it, the call finds out by itself."""
        if not self.patience.seconds:
            return
        try:
            await self.refresh()
        except WorkerAway as away:
            await self.patience.wait(away.reason)
        except DependencyUnavailable:
            return


def _broken(asked: Call, error: Exception) -> DependencyUnavailable:
    """Of a call that got no whole answer: it may have ended the process, and then another call fares better."""
    return CallFailed(reason(error)) if asked.suspect else DependencyUnavailable("worker", reason(error))


@asynccontextmanager
async def open_worker(app: FastAPI) -> AsyncIterator[WorkerClient]:
    """Yield the client after the worker described its model. Raises DependencyUnavailable otherwise."""
    settings: ApiSettings = app.state.settings
    async with WorkerClient(settings.worker_url, settings.worker_patience, WorkerSecret(settings)) as client:
        await client.refresh()
        yield client


async def check_worker(client: WorkerClient) -> None:
    """Raise when the worker does not answer; takes note of a changed model."""
    await client.refresh()
