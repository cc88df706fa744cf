"""A service whose dependencies are files: `database`, `cache` and `model` in the folder $WORLD.

A dependency is up while its file exists. A model file that says `altered` is Fatal, one that says `deadly` kills the
process, a number is its load time.
The model is broken while there is a file `model-broken`; of one process, `model-broken-` and its pid. It can't be
closed while there is a file `model-hangs`.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request

from warmstart import Fatal, Lifecycle, Resource, ServiceSettings, install
from warmstart.faults import switches
from warmstart.lifecycle import place
from warmstart.pod.process import Process
from warmstart.vault.plugin import vault

log = logging.getLogger("sample")

WORLD = Path(os.environ.get("WORLD", "/nonexistent"))


def note(line: str) -> None:
    """Leave a trace that outlives the process."""
    with (WORLD / "trace").open("a") as trace:
        trace.write(f"{os.getpid()} {line}\n")


async def exists(path: Path) -> None:
    """The check of a dependency."""
    while path.with_name(f"{path.name}-check-hangs").exists():
        await asyncio.sleep(0.05)
    if not path.exists():
        raise ConnectionError(f"{path.name} is down")


def dependency(name: str, required: bool) -> Resource[Path]:
    """A resource that is up while its file exists."""

    @asynccontextmanager
    async def open_(app: FastAPI) -> AsyncIterator[Path]:
        await exists(WORLD / name)
        note(f"open {name}")
        yield WORLD / name
        if (WORLD / f"{name}-hangs").exists():
            await asyncio.sleep(3600)
        note(f"close {name}")

    return Resource(name, open_, check=exists, required=required, timeout=2)


@asynccontextmanager
async def open_model(app: FastAPI) -> AsyncIterator[Path]:
    """Load off the event loop, in a thread that can't be interrupted."""
    content = (WORLD / "model").read_text()
    if content == "altered":
        raise Fatal("weights altered")
    if content == "nameless":
        raise KeyError("weights")
    if content == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    # Processes of one pod become ready one after the other.
    here = place.current()
    stagger = float(os.environ.get("STAGGER", "0")) * (here.slot if isinstance(here, Process) else 0)
    loop, loaded = asyncio.get_running_loop(), asyncio.Event()

    def load() -> None:
        time.sleep(float(content) + stagger)
        loop.call_soon_threadsafe(loaded.set)

    threading.Thread(target=load, daemon=True).start()
    await loaded.wait()
    note("open model")
    try:
        yield WORLD / "model"
    finally:
        while (WORLD / "model-hangs").exists():
            await asyncio.sleep(0.05)
        note("close model")


async def model_works(model: Path) -> None:
    """The model's check."""
    if any((WORLD / name).exists() for name in ("model-broken", f"model-broken-{os.getpid()}")):
        raise RuntimeError("no pass succeeds")


MODEL = Resource("model", open_model, check=model_works, gates=True, after=("database",))
RESOURCES: tuple[Resource[Any], ...] = (dependency("database", True), dependency("cache", False), MODEL)


async def die(lifecycle: Lifecycle) -> None:
    """Background work with the model, which dies when a file appears."""
    note(f"watch with {lifecycle.value(MODEL).name}")
    while not (WORLD / "poison").exists():
        await asyncio.sleep(0.02)
    raise RuntimeError("poisoned")


router = APIRouter()


@router.get("/client")
async def client(request: Request) -> str | None:
    """Who asks."""
    return request.client.host if request.client else None


def create_app() -> FastAPI:
    """The service."""
    settings = ServiceSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Lifecycle(app, RESOURCES, settings, plugins=[*switches(settings), *vault(settings)]) as lifecycle:
            if os.environ.get("BACKGROUND"):
                _ = lifecycle.spawn("watcher", die)
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    install(app, settings)

    @app.get("/work")
    async def work(seconds: float = 0) -> dict[str, int]:
        log.info("working for %g s", seconds)
        await asyncio.sleep(seconds)
        return {"pid": os.getpid()}

    @app.get("/collector")
    async def collector(cycles: int = 0) -> dict[str, int]:
        for _ in range(cycles):
            cycle: list[object] = []
            cycle.append(cycle)
        collected = sum(generation["collected"] for generation in gc.get_stats())
        return {"frozen": gc.get_freeze_count(), "threshold": gc.get_threshold()[0], "collected": collected}

    @app.get("/end")
    async def end(status: int, at_once: bool = False) -> None:
        # After the answer.
        asyncio.get_running_loop().call_later(0.1, lambda: os._exit(status) if at_once else sys.exit(status))

    @app.get("/block")
    async def block(seconds: float) -> None:
        time.sleep(seconds)

    return app
