"""The gunicorn side: a worker class, and the hooks that keep the process board.

A service's gunicorn.conf.py imports the hooks and calls `prepare(settings)`. The board lives in this module, which
survives gunicorn's re-reading of its configuration at SIGHUP, while old and new processes are alive together.
"""

import asyncio
import atexit
import logging
import os
import shutil
import signal
import tempfile
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from uvicorn_worker import UvicornWorker

from servicekit import garbage, process
from servicekit.board import Board, Entry
from servicekit.connection import Connection
from servicekit.phase import Phase
from servicekit.process import METRICS_FOLDER
from servicekit.settings import ServiceSettings

log = logging.getLogger("servicekit.gunicorn")

BOARD = Board()
SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - mkdtemp makes it private


def prepare(settings: ServiceSettings) -> None:
    """Make what must exist before the first fork: the folder of the metrics, the limits of requests and connections."""
    Worker.in_flight_limit = Connection.close_timeout = settings.request_timeout
    Connection.header_timeout, Connection.max_header_bytes = settings.header_timeout, settings.max_header_bytes
    Connection.max_age = settings.connection_max_age
    if METRICS_FOLDER not in os.environ:
        os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="metrics-", dir=SHARED_MEMORY)
        # Processes leave without it (`process.leave`), or by a signal: this runs in the master alone.
        atexit.register(shutil.rmtree, os.environ[METRICS_FOLDER], ignore_errors=True)


def pre_fork(server: Arbiter, worker: "Worker") -> None:
    """Give the coming process its slot."""
    if not BOARD.first_ready:
        BOARD.expect(server.num_workers)
    worker.slot = BOARD.claim_slot()


def child_exit(server: Arbiter, worker: "Worker") -> None:
    """Free the slot; halt with status 3 when the pod never was ready and can't be.

    `HaltServer` raised while the master already stops would crash it (field note 20): it has no listeners then.
    """
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - its folder must be known first

    entry = BOARD.read(worker.slot)
    BOARD.clear(worker.slot)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    if entry and entry.phase is Phase.FAILED and not BOARD.first_ready and server.LISTENERS:
        raise HaltServer("the service could not start", process.START_FAILED)


class Worker(UvicornWorker):
    """uvicorn under gunicorn, with the lifespan forced on, bounded waits and a place on the board."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "auto",
        "http": Connection,
        "lifespan": "on",
        "access_log": False,
    }
    in_flight_limit: ClassVar[float] = 10.0  # seconds
    slot: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config.timeout_graceful_shutdown = self.in_flight_limit
        for name in ("uvicorn.error", "uvicorn.access"):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [], True
            logger.setLevel(max(logger.level, logging.WARNING))

    def init_process(self) -> None:
        """Take the slot and run; whatever fails before the lifecycle can say so is said here."""
        garbage.hold()
        process.join(process.Process(BOARD, self.slot, under_gunicorn=True))
        BOARD.write(self.slot, Entry(os.getpid(), Phase.STARTING))
        try:
            super().init_process()
        except Exception as error:  # noqa: BLE001 - whatever it is, the application did not load
            self._fail(error)
        except SystemExit as exit_:
            if exit_.code in (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR):
                self._fail(exit_)
            raise

    async def _serve(self) -> None:
        beating = asyncio.create_task(self._beat())
        await super()._serve()
        beating.cancel()

    async def _beat(self) -> None:
        """Tell the master that the loop turns, also while starting and stopping (uvicorn does so only between)."""
        while os.getppid() == self.ppid:
            self.notify()
            await asyncio.sleep(min(1.0, self.timeout / 2))
        log.error("the master is gone: leaving")
        signal.raise_signal(signal.SIGTERM)

    def _install_sigquit_handler(self) -> None:
        """The master hands SIGINT and SIGQUIT on as SIGQUIT, to which uvicorn-worker's handler does nothing."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, signal.raise_signal, signal.SIGTERM)

    def _fail(self, error: BaseException) -> None:
        if BOARD.first_ready or BOARD.claim_failure():
            log.error("the application could not be loaded: %r", error, exc_info=error)
        BOARD.write(self.slot, Entry(os.getpid(), Phase.FAILED))
        process.leave(process.PROCESS_FAILED_START)
