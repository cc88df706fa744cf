"""One process of the pod: gunicorn's worker class for an ASGI application."""

import asyncio
import logging
import os
import signal
import sys
import time
from typing import NoReturn

from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers import base

from warmstart.lifecycle import place
from warmstart.lifecycle.phase import Phase
from warmstart.lifecycle.place import Entry
from warmstart.pod import garbage
from warmstart.pod.process import Process
from warmstart.pod.server import Server, serving
from warmstart.settings.service import START_FAILED, ServiceSettings

log = logging.getLogger("warmstart.gunicorn")

RECYCLE_POLL = 0.1  # seconds, as often as uvicorn looks
RESPAWN_PAUSE = 1.0  # seconds


class NotStarted(Exception):
    """The application's lifespan failed; the log says why."""


class Worker(base.Worker):
    """Runs uvicorn with the lifespan forced on, bounded waits, and a place on the board.

    uvicorn-worker's class is not the base: only six of its 120 lines would remain.
    """

    place: Process  # set by `Master`, as are the settings
    settings: ServiceSettings

    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:
        """Called by gunicorn's own master, which `configure` would have replaced. Ends the start with status 3."""
        sys.stderr.write('bad setting worker_class: `configure(globals(), Settings, "app:create_app()")` is missing\n')
        raise SystemExit(START_FAILED)

    def init_process(self) -> None:
        """Join the pod and run. A failure before the lifecycle begins is reported here."""
        place.join(self.place)
        self.place.board.write(self.place.slot, Entry(os.getpid(), Phase.STARTING))
        self.init_signals()
        if self.place.board.stopping:  # the master's handler, inherited at the fork, may have swallowed SIGTERM
            place.leave(0)
        from warmstart.pod import metric_space  # noqa: PLC0415 - prometheus_client must know its folder first

        garbage.hold()
        metric_space.install()
        try:
            super().init_process()
        except Exception as error:  # noqa: BLE001 - whatever it is, the application did not load
            self._fail(error)
        except SystemExit as exit_:
            if self.booted:
                raise
            self._fail(exit_)

    def init_signals(self) -> None:
        """Let a signal end the process until uvicorn has its handlers; SIGUSR1 reopens logs (gunicorn)."""
        for each in self.SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        signal.siginterrupt(signal.SIGUSR1, False)

    def run(self) -> None:
        """Serve until the end of the process.

        The runner isn't closed, since closing would wait for its threads, for minutes.
        """
        server = serving(self.wsgi, self.cfg, self.settings)
        try:
            asyncio.Runner(loop_factory=server.config.get_loop_factory()).run(self._serve(server))
        except SystemExit:  # uvicorn's, or the application's own
            if server.started:
                raise
        if not server.started:
            raise NotStarted("the application's lifespan failed")

    async def _serve(self, server: Server) -> None:
        # The master hands SIGINT and SIGQUIT on as SIGQUIT.
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, signal.raise_signal, signal.SIGTERM)
        beside = [asyncio.create_task(self._beat()), asyncio.create_task(self._recycle(server))]
        await server.serve(sockets=self.sockets)
        for each in beside:
            each.cancel()

    async def _recycle(self, server: Server) -> None:
        """After gunicorn's `max_requests` (with its jitter), be replaced as at SIGHUP.

        Not before the pod's first readiness, since probes are requests, too.
        """
        state = server.server_state
        while state.total_requests < self.max_requests or not self._serves():  # noqa: ASYNC110 - a number can't wake us
            await asyncio.sleep(RECYCLE_POLL)
        log.info("%d requests served: it is time for a successor", state.total_requests)
        signal.raise_signal(signal.SIGTERM)

    def _serves(self) -> bool:
        board = self.place.board
        entry = board.read(self.place.slot)
        return board.first_ready and entry is not None and entry.phase is Phase.READY

    async def _beat(self) -> None:
        """Tell the master that the event loop turns, also while starting and stopping."""
        while os.getppid() == self.ppid:
            self.notify()
            await asyncio.sleep(min(1.0, self.timeout / 2))
        log.error("the master is gone: leaving")
        self.place.board.stop()
        signal.raise_signal(signal.SIGTERM)

    def _fail(self, error: BaseException) -> NoReturn:
        """Report the failure, and end.

        After first readiness the master starts a replacement at once, so wait a moment to avoid a tight loop.
        """
        board = self.place.board
        if board.first_ready or board.claim_failure():
            log.error("the application could not be loaded: %r", error, exc_info=error)
        board.write(self.place.slot, Entry(os.getpid(), Phase.FAILED))
        if board.first_ready:
            time.sleep(RESPAWN_PAUSE)
        raise SystemExit(place.PROCESS_FAILED_START)
