"""uvicorn's server, as each process of the pod runs it."""

import signal
from types import FrameType
from typing import Any

import uvicorn
from gunicorn.config import Config

from warmstart.pod.connection.lifetime import Connection
from warmstart.pod.connection.proxied import ProxiedConnection
from warmstart.security_headers import SecurityHeaders
from warmstart.settings import trusted
from warmstart.settings.service import ServiceSettings


class Server(uvicorn.Server):
    """Ends with a return. uvicorn's would end the process by the signal, before gunicorn's `worker_exit` hook."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop accepting, and let requests end; a second SIGINT stops at once."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def serving(app: Any, cfg: Config, settings: ServiceSettings) -> Server:
    """The server of `app`: backlog, root_path, keepalive and TLS as in gunicorn's configuration, all else by settings.

    `pod.ignored` refuses what else gunicorn has.
    """
    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            http=_protocol(settings),
            backlog=cfg.backlog,
            root_path=cfg.root_path,
            forwarded_allow_ips=list(trusted.addresses(settings.forwarded_allow_ips)),
            timeout_keep_alive=cfg.keepalive,
            timeout_graceful_shutdown=settings.in_flight_seconds,  # type: ignore[arg-type] # fractions are as good
            **_tls(cfg),
        )
    )


def _protocol(settings: ServiceSettings) -> type[Connection]:
    """The class of a connection, with its limits."""
    Connection.header_timeout, Connection.max_header_bytes = settings.header_timeout, settings.max_header_bytes
    Connection.close_timeout, Connection.max_age = settings.request_timeout, settings.connection_max_age
    Connection.security = SecurityHeaders(settings.hsts_seconds)
    return ProxiedConnection if settings.proxy_protocol else Connection


def _tls(cfg: Config) -> dict[str, Any]:
    names = ("keyfile", "certfile", "ssl_version", "cert_reqs", "ca_certs", "ciphers")
    return {f"ssl_{name.removeprefix('ssl_')}": cfg.ssl_options[name] for name in names} if cfg.is_ssl else {}
