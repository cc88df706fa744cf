"""The sockets that gunicorn's master listens on."""

import socket

from gunicorn import sock


class IPv6Socket(sock.TCP6Socket):
    """A socket that leaves IPv4 to the socket beside it, if there is one; gunicorn has no setting for it.

    By default Linux lets `::` accept IPv4 too: then `0.0.0.0` can't be bound as well, and with `::` alone clients are
    called `::ffff:192.0.2.1`, which no list of trusted addresses expects.
    """

    def bind(self, sock: socket.socket) -> None:
        """Bind it, for IPv6 only if it isn't alone."""
        if len(self.conf.address) > 1:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().bind(sock)
