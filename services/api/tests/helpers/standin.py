"""A stand-in for the worker: a real HTTP server with the worker's routes, which a test can make misbehave."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from aiohttp import web

from contract import call, lane, model, predict
from contract.answer import Description
from contract.model import ModelInfo
from contract.predictor import PredictorInfo
from contract.prompts import FIELD, NO_PROMPTS
from warmstart.http.timing import Timings

Misbehaviour: TypeAlias = Callable[[web.Request, list[Any]], Awaitable[web.StreamResponse | None]]

DIMENSIONS = 4
VOCABULARY = 30_522
ERROR = {"message": "", "type": "", "param": None, "code": ""}


class StandIn:
    """Answers every text with its length, or with another `vector`.

    `before` runs first and may answer, wait, or cut the connection. With `keeps` False, every answer says
    `Connection: close`, as one does on a connection that has reached its age; with `starting`, every route is
    behind the worker's gate. While `thawed` is clear, nothing is answered.

    With a `predictor` it says `long` of vectors that begin with a number above 5, and `short` of others;
    `before_predict` is as `before`.
    """

    def __init__(self) -> None:
        self.name = "stand-in"
        self.fingerprint = "fp-1"
        self.space = ""  # that of the fingerprint
        self.max_text_characters = 20_000
        self.keeps = True
        self.starting = False
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.calls: list[list[Any]] = []
        self.budgets: list[float] = []
        self.call_tokens: list[int] = []
        self.prompts = NO_PROMPTS
        self.asked_prompts: list[str | None] = []
        self.lanes: list[str] = []
        self.cancelled = 0
        self.connections: set[asyncio.Transport | None] = set()
        self.dead: set[asyncio.Transport | None] = set()  # connections on which no answer comes any more
        self.before: Misbehaviour | None = None
        self.predictor: PredictorInfo | None = None
        self.predicted: list[list[Any]] = []
        self.before_predict: Misbehaviour | None = None
        self.vector: Callable[[Any], Sequence[float]] = lambda item: (len(item), 0, 0, 0)
        self.url = self.host = ""

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Like the worker's `POST /embeddings/` in its binary form."""
        body = await request.json()
        items: list[Any] = body.get(call.TEXTS) or body[call.TOKEN_IDS]
        self.calls.append(items)
        self.asked_prompts.append(body.get(FIELD))
        self.host = request.host
        self.connections.add(request.transport)
        if request.transport in self.dead:
            await asyncio.Event().wait()
        self.budgets.append(float(request.headers[call.SECONDS]))
        self.call_tokens.append(int(request.headers.get(call.TOKENS, 0)))
        self.lanes.append(request.headers.get(lane.HEADER, ""))
        if self.starting:
            return cold()
        try:
            await self.thawed.wait()
            if self.before and (answer := await self.before(request, items)):
                return answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        rows = b"".join(struct.pack(f"<{DIMENSIONS}f", *self.vector(item)) for item in items)
        timings = Timings(tokenize=0.001, queue=0.002, inference=0.003)
        description = Description(self.name, self.fingerprint, self.space, DIMENSIONS, list(map(len, items)), timings)
        answer = web.Response(body=rows, headers=description.headers())
        if not self.keeps:
            answer.force_close()
        return answer

    async def predict(self, request: web.Request) -> web.StreamResponse:
        """Like the worker's `POST /predict`, with the probabilities 0.75 and 0.25."""
        rows: list[Any] = (await request.json())[predict.FEATURES]
        self.predicted.append(rows)
        self.budgets.append(float(request.headers[call.SECONDS]))
        self.lanes.append(request.headers.get(lane.HEADER, ""))
        if self.starting:
            return cold()
        try:
            if self.before_predict and (answer := await self.before_predict(request, rows)):
                return answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.predictor is None:
            error = {**ERROR, "code": predict.NOT_CONFIGURED, "message": "this worker has no PREDICTOR"}
            return web.json_response({"error": error}, status=404)
        numbers = [int(row[0] > 5) for row in rows]
        told, classes = self.predictor, self.predictor.classes
        return web.json_response(
            {
                "predictions": [classes[number] if classes else number for number in numbers],
                "probabilities": [[0.25, 0.75] if number else [0.75, 0.25] for number in numbers] if classes else None,
                "classes": classes,
                "model": told.name,
                "fingerprint": told.sha256,
                "space": told.space,
            }
        )

    async def model(self, request: web.Request) -> web.Response:
        """Like the worker's `GET /model`."""
        if request.transport in self.dead:
            await asyncio.Event().wait()
        await self.thawed.wait()
        if self.starting:
            return cold()
        return web.json_response(self.description())

    def description(self) -> dict[str, Any]:
        """Its model."""
        info = ModelInfo(
            model=self.name,
            fingerprint=self.fingerprint,
            space=self.space,
            dimensions=DIMENSIONS,
            max_tokens=256,
            special_tokens=2,
            vocabulary_size=VOCABULARY,
            max_text_characters=self.max_text_characters,
            engine="fake",
            precision="fp32",
            threads=1,
            prompts=self.prompts,
            predictor=self.predictor,
        )
        return info.model_dump()

    @asynccontextmanager
    async def running(self, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator["StandIn"]:
        """Serve on this machine, on a free port unless one is given."""
        app = web.Application()
        app.router.add_post(call.PATH, self.embeddings)
        app.router.add_post(predict.PATH, self.predict)
        app.router.add_get(model.PATH, self.model)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        self.url = f"http://{host}:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def head(space: str | None, name: str = "lengths", **changes: Any) -> PredictorInfo:
    """A classifier of vectors of a space."""
    about = {"name": name, "sha256": name, "features": DIMENSIONS, "classes": ("short", "long"), "space": space}
    return PredictorInfo(**{**about, **changes})


def cold() -> web.Response:
    """The gate's answer."""
    error = {**ERROR, "code": "not_ready", "message": "the service is warming"}
    return web.json_response({"error": error}, status=503, headers={"Retry-After": "1"})


def refuse(status: int, *, retry_after: int | None = None, **error: Any) -> Misbehaviour:
    """Answer every call with this error."""

    async def before(_: web.Request, __: list[Any]) -> web.StreamResponse:
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        return web.json_response({"error": {**ERROR, **error}}, status=status, headers=headers)

    return before


def cut(times: int) -> Misbehaviour:
    """Reset the connection of the first calls."""
    left = times

    async def before(request: web.Request, _: list[Any]) -> None:
        nonlocal left
        if left:
            left -= 1
            assert request.transport
            request.transport.abort()

    return before


def cut_known(worker: StandIn) -> Misbehaviour:
    """Reset every call that comes on a connection which the stand-in has served before, as a restart would."""
    known = set(worker.connections)

    async def before(request: web.Request, _: list[Any]) -> None:
        if request.transport and request.transport in known:
            request.transport.abort()

    return before


def hold(until: asyncio.Event) -> Misbehaviour:
    """Answer every call only after the event."""

    async def before(_: web.Request, __: list[Any]) -> None:
        await until.wait()

    return before
