"""How much of what was written to a client has not reached it."""

import asyncio
import socket
import sys
from contextlib import suppress

if sys.platform == "linux":
    import fcntl
    import termios

SO_NWRITE = 0x1024  # in macOS's sys/socket.h; Python has no name for it


def unread(transport: asyncio.Transport) -> int:
    """Bytes that wait in the transport, or in the kernel until the client has acknowledged them.

    The kernel holds up to 4 MB (net.ipv4.tcp_wmem), and takes more only when about a third of that was acknowledged:
    while a client read 60 kB/s, the transport alone saw nothing in 10 s. A client's kernel acknowledges in steps of a
    packet or more. On loopback, where one is 64 KiB, 10 kB/s was seen in each 10 s, 5 kB/s was not. Over TLS, what
    waits between encryption and kernel is not counted, so the number may also grow.
    """
    return transport.get_write_buffer_size() + _in_kernel(transport.get_extra_info("socket"))


def _in_kernel(connection: socket.socket | None) -> int:
    """Zero for a closed connection, and where the system can't be asked."""
    with suppress(OSError, ValueError):  # ValueError: the number of a closed one is -1
        if connection and sys.platform == "linux":
            return int.from_bytes(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        if connection and sys.platform == "darwin":
            return connection.getsockopt(socket.SOL_SOCKET, SO_NWRITE)
    return 0
