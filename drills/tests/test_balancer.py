"""The drills' balancer refuses as a Service does."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit

from drills.balancer import Balancer
from stack import free_ports


def test_a_connection_to_a_replica_that_has_just_left_ends() -> None:
    """At once, while the balancer still takes the replica for a ready one."""
    with Balancer([f"http://127.0.0.1:{free_ports()['worker']}"], host="127.0.0.2", blind=True) as balancer:
        where = urlsplit(balancer.url)
        assert where.hostname == "127.0.0.2"
        with socket.create_connection((where.hostname, where.port or 0), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
