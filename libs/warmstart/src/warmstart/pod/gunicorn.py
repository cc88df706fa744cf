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
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from gunicorn import sock
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from uvicorn.server import Server, ServerState
from uvicorn_worker import UvicornWorker

from warmstart.lifecycle import place
from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import Entry
from warmstart.pod import garbage, master, process
from warmstart.pod.board import Board
from warmstart.pod.connection.aged import Connection
from warmstart.pod.connection.proxied import ProxiedConnection
from warmstart.pod.process import METRICS_FOLDER
from warmstart.settings import trusted
from warmstart.settings.service import ServiceSettings

log = logging.getLogger("warmstart.gunicorn")

BOARD = Board()
RECYCLE_POLL = 0.1  # seconds, as often as uvicorn looks
RESPAWN_PAUSE = 1.0  # seconds
SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - mkdtemp makes it private

_own_variables: set[str] = set()


class IPv6Socket(sock.TCP6Socket):
    """One that leaves IPv4 to the socket beside it, if there is one; gunicorn has no setting for it.

    By Linux' default `::` takes IPv4 too: `0.0.0.0` could not be bound as well, and by `::` alone clients would be
    called `::ffff:192.0.2.1`, which no list of trusted addresses expects.
    """

    def bind(self, sock: socket.socket) -> None:
        """Bind it, for IPv6 only if it isn't alone."""
        if len(self.conf.address) > 1:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().bind(sock)


sock.TCP6Socket = IPv6Socket  # type: ignore[misc]


def prepare(settings: ServiceSettings) -> None:
    """Make what must exist before the first fork: the folder of the metrics, the limits of requests and connections."""
    Worker.in_flight_limit = Connection.close_timeout = settings.request_timeout
    Connection.header_timeout, Connection.max_header_bytes = settings.header_timeout, settings.max_header_bytes
    Worker.trusted_proxies = list(trusted.addresses(settings.forwarded_allow_ips))
    Worker.CONFIG_KWARGS["http"] = ProxiedConnection if settings.proxy_protocol else Connection
    Connection.max_age = settings.connection_max_age
    if METRICS_FOLDER not in os.environ:
        os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="metrics-", dir=SHARED_MEMORY)
        _own_variables.add(METRICS_FOLDER)
        atexit.register(_remove, os.environ[METRICS_FOLDER], os.getpid())


def _remove(folder: str, owner: int) -> None:
    """Forked processes have their parent's `atexit` functions, too: this one is the master's alone."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def pre_fork(server: Arbiter, worker: "Worker") -> None:
    """Give the coming process its slot."""
    master.instruct(server, BOARD, _own_variables)
    if not BOARD.first_ready:
        BOARD.expect(server.num_workers)
    BOARD.want(server.num_workers)
    living: list[Any] = list(server.WORKERS.values())
    BOARD.keep({each.slot for each in living})  # not those of processes that could not be made
    worker.slot = BOARD.claim_slot()


def child_exit(server: Arbiter, worker: "Worker") -> None:
    """Free the slot; halt with status 3 when the pod never was ready and can't be.

    `HaltServer` raised while the master already stops would crash it with status 1; it has no listeners then.
    """
    # prometheus_client must know its folder first.
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    from warmstart.pod import metric_files  # noqa: PLC0415

    entry = BOARD.read(worker.slot)
    BOARD.clear(worker.slot)
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    metric_files.absorb(Path(os.environ[METRICS_FOLDER]), {os.getpid(), *server.WORKERS})
    failed = entry and (entry.phase is Phase.FAILED or not entry.pid)  # without: it never came to write its own
    if failed and not BOARD.first_ready and server.LISTENERS:
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
    trusted_proxies: ClassVar[list[str]] = []
    slot: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config.timeout_graceful_shutdown = self.in_flight_limit
        self.config.limit_max_requests = None  # uvicorn's way is no drain (`_recycle`)
        self.config.forwarded_allow_ips = self.trusted_proxies
        for name in ("uvicorn.error", "uvicorn.access"):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [], True
            logger.setLevel(max(logger.level, logging.WARNING))

    def init_process(self) -> None:
        """Take the slot, run, and leave; whatever fails before the lifecycle can say so is said here.

        Leaving here, and not in gunicorn, skips all that this process has from its parent to do at its end:
        `atexit` functions, `weakref.finalize` and with it every temporary folder of the master.
        """
        garbage.hold()
        elder = int(os.environ.get("GUNICORN_PID", "0"))  # the master that started ours at SIGUSR2
        place.join(process.Process(BOARD, self.slot, elder))
        BOARD.write(self.slot, Entry(os.getpid(), Phase.STARTING))
        try:
            super().init_process()
        except Exception as error:  # noqa: BLE001 - whatever it is, the application did not load
            self._fail(error)
        except SystemExit as exit_:
            if exit_.code in (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR):
                self._fail(exit_)
            place.leave(exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None))
        place.leave(0)

    async def _serve(self) -> None:
        """uvicorn-worker's, with what goes on beside it."""
        self.config.app = self.wsgi
        server = Server(self.config)
        self._install_sigquit_handler()
        beside = [asyncio.create_task(self._beat()), asyncio.create_task(self._recycle(server.server_state))]
        await server.serve(sockets=self.sockets)
        for each in beside:
            each.cancel()
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    async def _recycle(self, state: ServerState) -> None:
        """After gunicorn's `max_requests`, with its jitter, be replaced as at SIGHUP.

        Not before the pod is ready for the first time: probes are requests, too.
        """
        while state.total_requests < self.max_requests or not self._serves():  # noqa: ASYNC110 - a number can't wake us
            await asyncio.sleep(RECYCLE_POLL)
        log.info("%d requests served: it is time for a successor", state.total_requests)
        signal.raise_signal(signal.SIGTERM)

    def _serves(self) -> bool:
        entry = BOARD.read(self.slot)
        return BOARD.first_ready and entry is not None and entry.phase is Phase.READY

    async def _beat(self) -> None:
        """Tell the master that the loop turns, also while starting and stopping (uvicorn does so only between)."""
        while os.getppid() == self.ppid:
            self.notify()
            await asyncio.sleep(min(1.0, self.timeout / 2))
        log.error("the master is gone: leaving")
        BOARD.stop()
        signal.raise_signal(signal.SIGTERM)

    def _install_sigquit_handler(self) -> None:
        """The master hands SIGINT and SIGQUIT on as SIGQUIT, to which uvicorn-worker's handler does nothing."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, signal.raise_signal, signal.SIGTERM)

    def _fail(self, error: BaseException) -> None:
        """Say why, and leave. Once the pod was ready the master starts the next one at once: not in a tight loop."""
        if BOARD.first_ready or BOARD.claim_failure():
            log.error("the application could not be loaded: %r", error, exc_info=error)
        BOARD.write(self.slot, Entry(os.getpid(), Phase.FAILED))
        if BOARD.first_ready:
            time.sleep(RESPAWN_PAUSE)
        place.leave(place.PROCESS_FAILED_START)
