"""Small real things that tests put in the place of others."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from stack import until
from tests.harness import clock
from warmstart import Resource
from worker import health
from worker.admission import Admission
from worker.app import create_app
from worker.batcher import Batcher
from worker.engines.base import Engine, TokenIds, Vectors
from worker.engines.fake import FakeEngine
from worker.executor import DaemonExecutor
from worker.loading import Loaded
from worker.resources import ModelSource, model_resource
from worker.settings import WorkerSettings
from worker.speed import Speed
from worker.token_queue import TokenQueue

POISON = "poison"
LIMIT = 10.0  # seconds after which a condition that never came true fails its test


class RecordingEngine(FakeEngine):
    """Remembers each pass, and the threads that it was called on."""

    def __init__(self) -> None:
        super().__init__()
        self.passes: list[list[TokenIds]] = []
        self.encoded_on: list[str] = []
        self.embedded_on: list[str] = []

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """As the fake engine does."""
        self.encoded_on.append(threading.current_thread().name)
        return super().encode(texts)

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """As the fake engine does."""
        self.embedded_on.append(threading.current_thread().name)
        self.passes.append(list(batch))
        return super().embed(batch)

    @property
    def embedded(self) -> list[TokenIds]:
        """The ids of all texts that were computed, in order."""
        return [ids for batch in self.passes for ids in batch]


class GatedEngine(RecordingEngine):
    """Computes nothing until the gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """Wait, then do as the fake engine does."""
        rows = super().embed(batch)
        assert self.gate.wait(LIMIT), "the test never opened the gate"
        return rows


class PoisonEngine(RecordingEngine):
    """Raises for any batch that holds the text `poison`."""

    def embed(self, batch: Sequence[TokenIds]) -> Vectors:
        """As the fake engine does, unless poisoned."""
        rows = super().embed(batch)
        if any(ids in batch for ids in FakeEngine().encode([POISON])):
            raise ValueError("poisoned")
        return rows


class BrokenExecutor(Executor):
    """Takes no work, as an executor does that can't start its thread."""

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> "Future[Any]":
        """Refuse."""
        raise RuntimeError("can't start new thread")


@asynccontextmanager
async def batching(
    engine: Engine,
    *,
    budget: int = 2048,
    limit: int = 65_536,
    executor: Executor | None = None,
    speed: Speed | None = None,
    stuck_after: float = LIMIT,
    later: Sequence[Callable[[], None]] = (),
) -> AsyncIterator[Batcher]:
    """A batcher that runs."""
    threads = executor or DaemonExecutor("inference")
    speed = speed or Speed(1000, 1)
    queue = TokenQueue(Admission(speed, limit, budget, LIMIT))
    batcher = Batcher(engine, threads, queue, limit=stuck_after, later=later)
    running = asyncio.create_task(batcher.run())
    try:
        yield batcher
    finally:
        running.cancel()
        await asyncio.wait({running})
        threads.shutdown(wait=False)


def engine_resource(engine: Engine) -> Resource[ModelSource]:
    """The model resource around an engine that exists already."""
    return model_resource(lambda _: Loaded(engine, "stand-in", "0" * 64))


@contextmanager
def serving(engine: Engine, **settings: Any) -> Iterator[TestClient]:
    """The worker with its real lifespan around `engine`; nothing has been computed when it is entered."""
    asked = WorkerSettings(**{"warmup_passes": False, "drain_seconds": 0, **settings})
    with TestClient(create_app(asked, [engine_resource(engine)])) as client:
        yield client


def soon() -> float:
    """A deadline that no test reaches, in the running loop's time."""
    return asyncio.get_running_loop().time() + LIMIT


def put_forward(client: TestClient, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have so many seconds pass at once in the event loop of an application, and in its view of forward passes."""

    async def jump() -> None:
        counter = time.perf_counter
        clock.put_forward(seconds, monkeypatch)
        monkeypatch.setattr(health, "perf_counter", lambda: counter() + seconds)

    assert client.portal
    client.portal.call(jump)


def metric(name: str, **labels: str) -> float:
    """The value of a metric of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The base URL of a real server around `app`, for what an in-memory transport can't show."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            until(lambda: server.started, LIMIT, "the server has started")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(LIMIT)
