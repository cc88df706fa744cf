"""Finds the process at the other end of a connection on this machine (Linux): the service, or a proxy before it."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

GIVE_UP = 5  # failed searches: the process belongs to another user

# One socket's inode from the kernel (sock_diag(7)). /proc/net/tcp has it too, after thousands of closed connections.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST = 4, 20, 1
REQUEST = struct.Struct("=IHHII BBBBI HH")  # nlmsghdr, inet_diag_req_v2, and its ports in network order
ADDRESSES = struct.Struct("=4s12x4s12xIII")
ANY_STATE, ANY_COOKIE = 0xFFFFFFFF, 0xFFFFFFFF
INODE = struct.Struct("=84xI")  # where inet_diag_msg has it, after nlmsghdr


class Peers:
    """Finds pids. It remembers sockets, since a search through all processes of a machine takes milliseconds."""

    def __init__(self) -> None:
        self._known: list[int] = []
        self._owners: dict[int, int] = {}
        self._failures = 0

    def find(self, connection: socket.socket) -> int | None:
        """The pid at the other end of an open connection, or None."""
        if self._failures >= GIVE_UP:
            return None
        try:
            inode = _inode(connection.getpeername(), connection.getsockname())
        except (OSError, AttributeError, struct.error):  # closed already, or not Linux
            return None
        pid = self._owner(inode) if inode else None
        self._failures += inode != 0 and pid is None
        return pid

    def _owner(self, inode: int) -> int | None:
        if inode in self._owners:
            return self._owners[inode]
        for pid in chain(self._known, _processes()):
            owned = dict.fromkeys(_sockets(pid), pid)
            if inode in owned:
                self._owners = owned  # most likely needed next
                self._known = [pid, *(each for each in self._known[:7] if each != pid)]
                return pid
        return None


def _inode(local: tuple[str, int], remote: tuple[str, int]) -> int:
    """The inode of the IPv4 socket between these two, as the end at `local` has it; 0 if there is none any more."""
    ports = (socket.htons(local[1]), socket.htons(remote[1]))
    head = (72, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0, socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ANY_STATE)
    addresses = (socket.inet_aton(local[0]), socket.inet_aton(remote[0]), 0, ANY_COOKIE, ANY_COOKIE)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.send(REQUEST.pack(*head, *ports) + ADDRESSES.pack(*addresses))
        answer = kernel.recv(1024)
    kind = struct.unpack_from("=H", answer, 4)[0]
    return int(INODE.unpack_from(answer)[0]) if kind == SOCK_DIAG_BY_FAMILY else 0


def _processes() -> Iterator[int]:
    """All processes, the youngest first."""
    yield from sorted((int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()), reverse=True)


def _sockets(pid: int) -> Iterator[int]:
    """The inodes of a process's sockets."""
    with suppress(OSError):  # it has ended, or belongs to another user
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(entry.readlink())
                if target.startswith("socket:["):
                    yield int(target[8:-1])
