"""Ports for another stack: claimed by this process alone, and never given to a client by the kernel meanwhile."""

import fcntl
import os
import random
import tempfile
from pathlib import Path
from threading import Lock

from stack.errors import StackError
from stack.interface import EVERY, Part
from stack.ports import DEFAULTS, is_free

CANDIDATES = range(10240, 30000)  # 30000 to 32767 are the node ports of a Kubernetes on this machine
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()
_lock = Lock()
_register: int | None = None


def free_ports() -> dict[Part, int]:
    """A port for each part on which nobody listens, and which no other process gets while this one lives.

    A port of the ephemeral range would not do: between this call and the server's start, the kernel may give it to
    any outgoing connection.

    Raises:
        StackError: all are taken.
    """
    with _lock:
        return dict(zip(EVERY, (_take() for _ in EVERY), strict=True))


def _take() -> int:
    candidates = _candidates()
    start = random.randrange(len(candidates))  # noqa: S311 - spreads callers, hides nothing
    for port in candidates[start:] + candidates[:start]:
        if port not in _given and _claim(port) and is_free(port):
            _given.add(port)
            return port
    raise StackError(f"no port from {CANDIDATES.start} to {CANDIDATES.stop - 1} is free")


def _candidates() -> list[int]:
    """Ports outside the ephemeral range, or all ports if the kernel's range covers them all."""
    try:
        low, high = map(int, EPHEMERAL.read_text().split())
    except OSError:  # elsewhere than on Linux; macOS begins at 49152
        low, high = 49152, 65535
    known = [port for port in CANDIDATES if port not in DEFAULTS.values()]
    return [port for port in known if not low <= port <= high] or known


def _claim(port: int) -> bool:
    """Lock the byte of a shared file whose offset is the port; the kernel frees the lock when this process ends."""
    global _register  # noqa: PLW0603 - closing any descriptor of the file would let go of all locks
    if _register is None:
        file = Path(tempfile.gettempdir()) / f"warmstart-ports-{os.getuid()}"
        _register = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.lockf(_register, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True
