"""`python -m stack.chat`: serve until SIGTERM. Without `--host` it listens on all addresses, of both IP families."""

import argparse
import socket

from aiohttp import web

from . import PORT
from .server import application

STOP_SECONDS = 1.0  # for calls that are open: then they are cancelled


def main() -> None:
    parser = argparse.ArgumentParser(prog="chat", description="Echoes the sources of a prompt. No language model.")
    parser.add_argument("--host", default="", help="address to listen on (all)")
    parser.add_argument("--port", type=int, default=PORT, help="(%(default)s)")
    options = parser.parse_args()
    web.run_app(
        application(),
        sock=listening(options.host, options.port),
        shutdown_timeout=STOP_SECONDS,
        handler_cancellation=True,  # otherwise a call would go on when its client has left
        access_log=None,
    )


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises OSError."""
    if host or not socket.has_dualstack_ipv6():
        return socket.create_server((host, port))
    return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)


if __name__ == "__main__":
    main()
