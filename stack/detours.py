"""The proxy between the embedded api and what it needs: one process, which is started when it is first asked for."""

import json
import signal
import sys
from collections.abc import Mapping

from stack.daemon import Command, Daemon
from stack.environment import UTF8, inherited
from stack.interface import Part
from stack.ports import HOST, is_free
from stack.site import Site
from stack.waiting import until

START_SECONDS = 15.0
STOP_SECONDS = 5.0


class Detours:
    """Its process, and the port on which it listens for each part.

    Args:
        site: its shared folder has the files that say what is wrong with the connections.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._daemon = Daemon("toxic", site.run, site.logs / "toxic.log")
        self._file = site.run / "detours.json"

    def ports(self) -> Mapping[Part, int]:
        """Where it listens; nothing while it doesn't run."""
        return self.last_ports() if self._daemon.main() else {}

    def last_ports(self) -> Mapping[Part, int]:
        """Where it listened last, also when it has ended since; nothing if it never ran."""
        found: Mapping[Part, int] = json.loads(self._file.read_text()) if self._file.exists() else {}
        return found

    def start(self, ports: Mapping[Part, int], targets: Mapping[Part, int]) -> None:
        """Let it listen on these ports, in front of the parts on those of this machine. Raises StackError."""
        routes = (f"{part}={HOST}:{ports[part]}={HOST}:{target}" for part, target in targets.items())
        self._file.write_text(json.dumps(ports))
        argv = (sys.executable, "-m", "stack.toxic", str(self._site.shared), *routes)
        self._daemon.start(Command(argv, {**inherited(), **UTF8}), ports["worker"])
        until(lambda: not any(map(is_free, ports.values())), START_SECONDS, "a proxy that listens", self._daemon.tail)

    def stop(self) -> None:
        """Stop it, if it runs."""
        self._daemon.stop(signal.SIGTERM, STOP_SECONDS)
