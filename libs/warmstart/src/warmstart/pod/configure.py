"""Configures gunicorn for a service's pod, with one call in gunicorn.conf.py."""

import atexit
import logging
import math
import os
import shutil
import sys
import tempfile
from typing import Any, TypeVar

from gunicorn import sock
from gunicorn.app import base

from warmstart.logs import logging_config
from warmstart.pod.master import Master
from warmstart.pod.sockets import IPv6Socket
from warmstart.settings.service import METRICS_FOLDER, START_FAILED, ServiceSettings, load

SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - what is made there is private

S = TypeVar("S", bound=ServiceSettings)


def configure(conf: dict[str, Any], settings: type[S], app: str) -> S:
    """Fill in a gunicorn.conf.py: `configure(globals(), Settings, "module:create_app()")`.

    Below the call the file may set gunicorn's other values (`timeout = 60`) and any hook. Returns the settings, read
    from the environment; a bad one ends the start with status 3.
    """
    read = load(settings)
    _check(read)
    conf.update(
        wsgi_app=app,
        bind=_bind(read),
        workers=read.web_concurrency,
        worker_class="warmstart.pod.worker.Worker",
        logconfig_dict=logging_config(read),
        timeout=30,  # a process whose event loop stands still for this long is replaced
        graceful_timeout=math.ceil(read.stop_budget) + 2,  # gunicorn kills after it
        keepalive=75,  # longer than any client keeps an idle connection, or the two race
        worker_tmp_dir=SHARED_MEMORY,  # heartbeats on a disk can block
        control_socket_disable=True,  # it wants a writable home
    )
    logging.captureWarnings(True)  # a library's `warnings.warn` would write lines of another format
    Master.settings = read
    base.Arbiter = Master  # type: ignore[attr-defined]
    sock.TCP6Socket = IPv6Socket  # type: ignore[misc]
    _share_metrics()
    return read


def _check(settings: ServiceSettings) -> None:
    if settings.secrets_from:
        return  # each process checks when it has the vault's secrets
    try:
        settings.check_serving()
    except ValueError as error:
        sys.stderr.write(f"bad setting {error}\n")
        raise SystemExit(START_FAILED) from None


def _bind(settings: ServiceSettings) -> list[str]:
    try:
        return settings.bind
    except ValueError as error:
        sys.stderr.write(f"bad setting HOST: {error}\n")
        raise SystemExit(START_FAILED) from None


def _share_metrics() -> None:
    """Name the folder of the pod's metrics, before anything imports prometheus_client."""
    if METRICS_FOLDER not in os.environ:
        os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="metrics-", dir=SHARED_MEMORY)
        atexit.register(_remove, os.environ[METRICS_FOLDER], os.getpid())


def _remove(folder: str, owner: int) -> None:
    """Remove the folder, in the master only: forked processes inherit their parent's `atexit` functions."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
