"""Which process holds the other end of a connection on this machine (Linux; nobody knows it behind a proxy)."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TABLE = Path("/proc/net/tcp")
GIVE_UP = 5  # looks in vain: the other end is in a container, or elsewhere


class Peers:
    """Finds pids. It remembers them, since a look at every process of the machine takes milliseconds."""

    def __init__(self) -> None:
        self._known: list[int] = []
        self._failures = 0

    def find(self, connection: socket.socket) -> int | None:
        """The pid at the other end of an open connection, or None."""
        if self._failures >= GIVE_UP or not TABLE.exists():
            return None
        pid = self._find(connection)
        self._failures = 0 if pid else self._failures + 1
        return pid

    def _find(self, connection: socket.socket) -> int | None:
        try:
            inode = _inode(local=connection.getpeername()[1], remote=connection.getsockname()[1])
        except OSError:
            return None
        for pid in (*self._known, *_processes()) if inode else ():
            if inode in _sockets(pid):
                if pid not in self._known:
                    self._known.insert(0, pid)
                return pid
        return None


def _inode(local: int, remote: int) -> str | None:
    """Of the socket between these two ports, as the end at `local` has it."""
    for line in TABLE.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{local:04X}") and fields[2].endswith(f":{remote:04X}") and fields[9] != "0":
            return f"socket:[{fields[9]}]"
    return None


def _processes() -> Iterable[int]:
    """All, the youngest first."""
    return sorted((int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()), reverse=True)


def _sockets(pid: int) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):  # it ended, or is somebody else's
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(entry.readlink()))
    return found
