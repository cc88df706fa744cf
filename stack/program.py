"""One part of the embedded stack: its configuration and how it runs."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping

from stack.daemon import Command, Daemon
from stack.health import Health, check
from stack.interface import NOTHING, Part
from stack.site import Site


class Program(ABC):
    """Subclasses describe the program; this class knows its folder, port and process."""

    name: Part
    stop_signal = signal.SIGTERM
    grace = 30.0  # seconds from the stop signal to SIGKILL
    start_seconds = 30.0  # from start to ready

    def __init__(self, site: Site) -> None:
        self.site = site
        self.daemon = Daemon(self.name, site.run, site.logs / f"{self.name}.log")

    @property
    def port(self) -> int:
        """The port on which it listens, or would listen if it were started."""
        return self.daemon.port() or self.site.ports[self.name]

    @property
    def url(self) -> str:
        """Its address."""
        return self.site.url(self.name, self.port)

    def start(self, environment: Mapping[str, str] = NOTHING) -> None:
        """Start it without waiting for readiness."""
        self.daemon.start(self.command(environment), self.port)

    def stop(self) -> int | None:
        """Stop it; returns the exit code."""
        return self.daemon.stop(self.stop_signal, self.grace)

    def health(self) -> Health:
        """Ask it, within about a second."""
        return check(self.site, self.name, self.port)

    @abstractmethod
    def command(self, environment: Mapping[str, str]) -> Command:
        """What to run, after writing what it reads (a data folder, a configuration file)."""
