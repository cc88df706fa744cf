"""The port of each part, and whether it is free."""

import errno
import os
import socket
from collections.abc import Collection, Mapping

from stack.chat import PORT as CHAT_PORT
from stack.errors import StackError
from stack.interface import Part, in_order

HOST = "127.0.0.1"
DEFAULTS: Mapping[Part, int] = {
    "postgres": 15432,
    "valkey": 16379,
    "worker": 8001,
    "worker-next": 8002,
    "chat": CHAT_PORT,
    "api": 8000,
}
VARIABLES: Mapping[Part, str] = {
    "postgres": "POSTGRES_PORT",
    "valkey": "REDIS_PORT",
    "worker": "WORKER_PORT",
    "worker-next": "NEXT_WORKER_PORT",
    "chat": "CHAT_PORT",
    "api": "API_PORT",
}


def ports_from(environment: Mapping[str, str] = os.environ, known: Mapping[Part, int] = DEFAULTS) -> dict[Part, int]:
    """The ports that are known, as far as the environment doesn't name others.

    Raises:
        StackError: a variable holds no port number.
    """
    ports = dict(known)
    for part, variable in VARIABLES.items():
        value = environment.get(variable)
        if not value:
            continue
        if not value.isdecimal() or not 0 < int(value) < 65536:
            raise StackError(f"{variable}={value} is no port number")
        ports[part] = int(value)
    return ports


def require_free(ports: Mapping[Part, int], *, by_engine: bool = False) -> None:
    """Make sure that each of these parts could listen on its port; an engine may use ports that this account may not.

    Raises:
        StackError: naming each port that can't be used, its part, and the variable that changes it.
    """
    refused = [
        f"port {port} for {part} {reason % VARIABLES[part]}"
        for part, port in ports.items()
        if (reason := _refusal(port, by_engine=by_engine))
    ]
    if refused:
        raise StackError("\n".join([*refused, "Nothing was started."]))


def _refusal(port: int, *, by_engine: bool) -> str:
    """What is said where nobody could listen; empty if somebody could."""
    error = _obstacle(port)
    if error is None or (by_engine and isinstance(error, PermissionError)):
        return ""
    if error.errno == errno.EADDRINUSE:
        return "is taken: free it, or set %s to another"
    return f"can't be used by this account ({error.strerror}): set %s to another"


def require_distinct(ports: Mapping[Part, int], parts: Collection[Part], before: str = "") -> None:
    """Make sure that no two of these parts have one port: whichever listens first would answer for the other.

    Args:
        ports: by part.
        parts: those that are to run.
        before: what the user must do first to change a port.

    Raises:
        StackError: naming the variables of those that have.
    """
    variables: dict[int, list[str]] = {}
    for part in in_order(parts):
        variables.setdefault(ports[part], []).append(VARIABLES[part])
    equal = [
        f"{' and '.join(names)} are both {port}: {before}set one to another"
        for port, names in variables.items()
        if len(names) > 1
    ]
    if equal:
        raise StackError("\n".join([*equal, "Nothing was started."]))


def is_free(port: int) -> bool:
    return _obstacle(port) is None


def _obstacle(port: int) -> OSError | None:
    """Why this process can't listen there."""
    with socket.socket() as probe:
        # As in the servers: connections of an earlier run that are still in TIME_WAIT don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None
