"""The sample under gunicorn, as a service would be."""

import os
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import gunicorn.sock
from gunicorn.sock import TCPSocket
from pydantic import SecretStr

from warmstart import ServiceSettings, configure


class SampleSettings(ServiceSettings):
    """With a secret, which may be missing for a moment."""

    token: SecretStr | None = None


# Something that its owner deletes at its end, and that each forked process inherits.
scratch = tempfile.TemporaryDirectory(prefix="of-the-master-", dir=os.environ["WORLD"])


class SharedPort(TCPSocket):
    """One of several masters' on one port, each of which listens once: the kernel shares out connections."""

    def set_options(self, sock: socket.socket, bound: bool = False) -> socket.socket:
        """Say so before it is bound."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return super().set_options(sock, bound)


if "SHARED_PORT" in os.environ:
    gunicorn.sock.TCPSocket = SharedPort  # type: ignore[misc]

configure(globals(), SampleSettings, os.environ.get("APP", "sample:create_app()"))


def stopped_at_the_fork(arbiter: Any, worker: Any) -> None:
    """A hook of gunicorn: the pod is stopped while a new process still has its master's handlers, which only queue."""
    os.kill(arbiter.pid, signal.SIGTERM)
    while arbiter.SIG_QUEUE.empty():
        time.sleep(0.01)


if "STOPPED_AT_THE_FORK" in os.environ:
    post_fork = stopped_at_the_fork

pythonpath = str(Path(__file__).parent)
timeout = int(os.environ.get("TIMEOUT", "30"))
