"""The port of each part, and whether it is free."""

import os
import socket
from collections.abc import Mapping

from stack.chat import PORT as CHAT_PORT
from stack.errors import StackError
from stack.interface import Part

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


def require_free(ports: Mapping[Part, int]) -> None:
    """Make sure that each of these parts could listen on its port.

    Raises:
        StackError: naming each port that is taken, its part, and the variable that changes it.
    """
    taken = [
        f"port {port} for {part} is taken: free it, or set {VARIABLES[part]} to another"
        for part, port in ports.items()
        if not is_free(port)
    ]
    if taken:
        raise StackError("\n".join([*taken, "Nothing was started."]))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As in the servers: connections of an earlier run that are still in TIME_WAIT don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
