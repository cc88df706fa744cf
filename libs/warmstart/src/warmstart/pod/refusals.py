"""Options of gunicorn (file, command line or GUNICORN_CMD_ARGS) that a pod can't work with."""

import os
from collections.abc import Iterable, Iterator

from gunicorn.config import Config

from warmstart.pod.ignored import ignored
from warmstart.pod.worker import Worker
from warmstart.settings.secret_files import SUFFIX
from warmstart.settings.service import ServiceSettings


class Refused(Exception):
    """The configuration can't be used; the message gives the reason."""


NEVER = {
    "preload_app": "no probe could be answered while the master loads the application; leave it out",
    "reload": "it has no effect on an ASGI application; develop with `uvicorn --reload`",
    "reuse_port": "a process that is not warm yet would be given connections; leave it out",
}


def check(cfg: Config, settings: ServiceSettings) -> None:
    """Raise Refused with a sentence for each option that breaks what the pod promises."""
    if found := "; ".join(_refusals(cfg, settings)):
        raise Refused(found)


def require_bound(cfg: Config, before: Config) -> None:
    """Raise Refused for other addresses: gunicorn would first let go of the old ones, and might get no new ones."""
    if cfg.address != before.address:
        raise Refused(f"bind = {cfg.bind}: addresses change with a restart only")


def _refusals(cfg: Config, settings: ServiceSettings) -> Iterator[str]:
    if not issubclass(cfg.worker_class, Worker):
        yield f"worker_class = {cfg.worker_class_str}: it must be warmstart.pod.worker.Worker, or derived from it"
    yield from (f"{option}: {why}" for option, why in NEVER.items() if getattr(cfg, option))
    if cfg.uid != os.geteuid():
        yield "user: the processes of another user can't signal the master; start gunicorn as that user"
    if not cfg.timeout:
        yield "timeout = 0: a process whose event loop stands still would never be replaced; give it some seconds"
    if cfg.graceful_timeout <= settings.stop_budget:
        in_flight = (
            "REQUEST_TIMEOUT" if settings.lasting_seconds <= settings.request_timeout else "STREAM_DRAIN_SECONDS"
        )
        yield (
            f"graceful_timeout = {cfg.graceful_timeout}: gunicorn would kill processes that still drain or close; "
            f"more than DRAIN_SECONDS + {in_flight} + SHUTDOWN_TIMEOUT = {settings.stop_budget:g} is needed"
        )
    for name in _settings_among(cfg.raw_env, settings):
        yield f"raw_env: {name} would count in the processes, and not in the master, which has read it by then"
    yield from ignored(cfg)


def _settings_among(assignments: Iterable[str], settings: ServiceSettings) -> Iterator[str]:
    """The variables of settings among `NAME=value` lines; gunicorn sets them when the settings have been read."""
    known = type(settings).model_fields
    for each in assignments:
        name = each.partition("=")[0]
        if name == name.upper() and name.removesuffix(SUFFIX).lower() in known:
            yield name
