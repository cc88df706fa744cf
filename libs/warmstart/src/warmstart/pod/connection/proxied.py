"""A connection through a balancer that passes bytes on, and says before them whose they are: PROXY protocol, version 1.

https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt. uvicorn does not speak it (uvicorn#777).
"""

import asyncio
from ipaddress import ip_address

from warmstart.pod.connection.lifetime import Connection

PREFIX = b"PROXY "
LONGEST = 107  # bytes of the line with its end, section 2.1
FAMILIES = {b"TCP4": 4, b"TCP6": 6}


class ProxiedConnection(Connection):
    """Takes the client's address from the line that the balancer sends first; without it, the peer's.

    Anyone who reaches this server past the balancer can name any address. A client of the balancer can't: its bytes
    come after the balancer's line.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Begin to wait for the line."""
        super().connection_made(transport)
        self._beginning: bytes | None = b""

    def data_received(self, data: bytes) -> None:
        """Called with what came, in one piece or in many."""
        if self._beginning is not None:
            data = self._after_line(self._beginning + data)
        if data:
            super().data_received(data)

    def _after_line(self, data: bytes) -> bytes:
        """The bytes after the line, if it is complete; other bytes go to the parser, which refuses them."""
        line, end, rest = data.partition(b"\r\n")
        if data[: len(PREFIX)] != PREFIX[: len(data)]:
            self._beginning = None
            return data
        if not end and len(data) < LONGEST:
            self._beginning = data
            return b""
        self._beginning = None
        return rest if end and len(line) + 2 <= LONGEST and self._take(line) else data

    def _take(self, line: bytes) -> bool:
        """Note the client's address, and say whether the line is one of the protocol."""
        match line.split(b" "):
            case [_, b"UNKNOWN", *_]:
                return True
            case [_, family, source, _, port, _] if family in FAMILIES and port.isdigit() and b"%" not in source:
                try:
                    address = ip_address(source.decode("ascii"))
                except ValueError:
                    return False
                self.client = (str(address), int(port))
                return address.version == FAMILIES[family]
        return False
