"""What gunicorn's master does differently: a process is replaced before it leaves, and no reload can end the service.

gunicorn's own hooks can't say so. The master looks up its methods and signal handlers on the instance (gunicorn 27,
`Arbiter.run`), which is where these stand.
"""

import contextlib
import io
import logging
import signal
from collections.abc import Callable, Collection
from typing import Any

from gunicorn.arbiter import Arbiter

from warmstart.pod.board import Board
from warmstart.pod.process import NEEDS_SUCCESSOR

log = logging.getLogger("warmstart.master")

NO_STATUS = -1  # of any process


class ReloadRefused(Exception):
    """The configuration can't be used; the message says why."""


class WaitNoLonger(Exception):
    """Ends a wait of gunicorn's that has nothing more to do."""


def instruct(server: Arbiter, board: Board, own: Collection[str]) -> None:
    """Once for each master, before its first fork. `own`: variables for its processes, but for no other master."""
    if hasattr(server, "handle_urg"):
        return
    signal.signal(NEEDS_SUCCESSOR, server.signal)
    server.handle_urg = lambda: replace(server, board)  # type: ignore[attr-defined]
    # A process that exits with gunicorn's 3 or 4 would halt the master, also when siblings serve. Ours say on the
    # board that they failed.
    server.WORKER_BOOT_ERROR = server.APP_LOAD_ERROR = NO_STATUS  # type: ignore[misc]
    server.stop = _announced(server.stop, board)  # type: ignore[method-assign]
    server.reexec = _without(own, server)  # type: ignore[method-assign]
    server.app.reload = _undone_if_bad(server)  # type: ignore[method-assign]
    server.reload = _or_stay(server)  # type: ignore[method-assign]
    server.spawn_worker = _or_later(server, board)  # type: ignore[method-assign]


def replace(server: Arbiter, board: Board) -> None:
    """Start a process for each that wants to leave, never having more than twice as many as there should be.

    gunicorn then asks the oldest to leave, as after SIGHUP; those that want to leave count as the oldest.
    """
    board.want(server.num_workers)
    processes: list[Any] = list(server.WORKERS.values())  # of the class Worker of warmstart.pod.gunicorn
    leaving = [each for each in processes if (entry := board.read(each.slot)) and entry.leaving]
    for each in leaving:
        each.age = 0
    missing = server.num_workers - (len(server.WORKERS) - len(leaving))
    room = 2 * server.num_workers - len(server.WORKERS)
    for _ in range(min(missing, room)):
        server.spawn_worker()


def _announced(stop: Callable[..., None], board: Board) -> Callable[..., None]:
    """The processes are told that the whole pod stops: none of them waits for a successor."""

    def announce_and_stop(graceful: bool = True) -> None:
        board.stop()
        stop(graceful)

    return announce_and_stop


def _undone_if_bad(server: Arbiter) -> Callable[[], None]:
    """gunicorn reads its configuration again, and exits if that can't be."""
    app = server.app
    read = app.reload

    def read_again() -> None:
        before, said = app.cfg, io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                read()
                _ = app.cfg.worker_class, app.cfg.logger_class  # imported when they are asked for
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the running processes stay
            app.cfg = before
            raise ReloadRefused(_gist(said.getvalue()) or repr(error)) from None

    return read_again


def _gist(said: str) -> str:
    """The lines that `settings.load` writes, or the last one, which in a traceback is the error."""
    lines = [line for line in said.splitlines() if line.strip()]
    return "; ".join([line for line in lines if line.startswith("bad setting ")] or lines[-1:])


def _or_stay(server: Arbiter) -> Callable[[], None]:
    """SIGHUP with a configuration that can't be used changes nothing.

    Having started the new processes, gunicorn waits `graceful_timeout` for an end of the old ones, which wait for the
    new ones; signals, SIGTERM too, would wait with it.
    """
    reload = server.reload

    def reload_or_stay() -> None:
        server.reap_workers = _wait_no_longer  # type: ignore[method-assign] # what that wait begins with
        try:
            reload()
        except ReloadRefused as error:
            log.error("not reloaded: %s; the running processes serve on", error)
        except WaitNoLonger:
            pass
        finally:
            del server.reap_workers

    return reload_or_stay


def _wait_no_longer() -> None:
    raise WaitNoLonger


def _or_later(server: Arbiter, board: Board) -> Callable[[], int]:
    """A process that can't be made (no memory, no process ids) is made later; gunicorn's master would exit."""
    spawn = server.spawn_worker

    def spawn_or_later() -> int:
        try:
            return spawn()
        except (OSError, RuntimeError) as error:
            if not board.first_ready:
                raise
            log.error("no new process: %s", error)
            return 0

    return spawn_or_later


def _without(own: Collection[str], server: Arbiter) -> Callable[[], None]:
    """SIGUSR2 starts another master. It gets the environment as gunicorn kept it when it last read its configuration.

    After a SIGHUP that has what the first reading set: a folder that goes with this master.
    """
    reexec = server.reexec

    def reexec_without() -> None:
        for name in own:
            server.cfg.env_orig.pop(name, None)
        reexec()

    return reexec_without
