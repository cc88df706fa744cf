"""The two services, each under gunicorn with its own gunicorn.conf.py, as in every other deployment."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from stack.daemon import Command
from stack.environment import UTF8, above
from stack.errors import StackError
from stack.health import Health
from stack.interface import Part
from stack.ports import HOST
from stack.program import Program
from stack.site import DEFAULT_ROOT, REPOSITORY, Site

log = logging.getLogger(__name__)

TOLD_SECONDS = 10.0  # between two lines about a step that goes on
DEFAULTS = {
    "LOG_FORMAT": "console",
    # An address that no peer has: every client comes from 127.0.0.1, the default, and none is a proxy.
    "FORWARDED_ALLOW_IPS": "0.0.0.0/32",
}


class Service(Program):
    """The api or workers.

    Args:
        name: of the part.
        site: folder, ports and passwords.
        service: its folder under services/; that of the part's name if it is left out.
    """

    # Above STARTUP_TIMEOUT: a service that can't start ends by itself, and says why.
    start_seconds = 120.0

    def __init__(self, name: Part, site: Site, service: str = "") -> None:
        self.name = name
        self._service = service or name
        super().__init__(site)

    def command(self, environment: Mapping[str, str]) -> Command:
        argv = (sys.executable, "-m", "gunicorn", "-c", f"services/{self._service}/gunicorn.conf.py")
        own = {"HOST": HOST, "PORT": str(self.port), "FAULTS_FILE": str(self.site.shared / f"{self.name}.faults")}
        if self._service == "api" and self.site.root == DEFAULT_ROOT:  # of `make up`: this machine's own
            own["REPORTS_FOLDER"] = str(REPOSITORY / "reports")
        return Command(argv, service_environment({**own, **environment}))

    def health(self) -> Health:
        """As `Program.health`; where another program answers on the port, its answer says nothing of this one."""
        found = super().health()
        if found.ready and not self.daemon.listens(self.port):
            return Health(ready=False, detail=f"another program answers on port {self.port}")
        return found


def service_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program of ours: what it inherits, the stack's own values above it."""
    bin_folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)])
    return {**DEFAULTS, **above({**UTF8, "PATH": path, "HF_HUB_OFFLINE": "1", **own})}


def run_step(what: str, module: str, environment: Mapping[str, str], log_file: Path) -> None:
    """Run `python -m module` once, before a service starts: a step that belongs in no lifespan.

    It has no time limit, since nobody knows how many documents a migration meets; an interrupt ends it.

    Raises:
        StackError: with the end of what it printed.
    """
    with log_file.open("w+") as output:
        code = _wait([sys.executable, "-m", module], service_environment(environment), output, f"{what} ({log_file})")
        if code != 0:
            output.seek(0)
            raise StackError(f"{what} failed (exit code {code}):\n{output.read()[-3000:]}")


def _wait(argv: list[str], environment: Mapping[str, str], output: TextIO, what: str) -> int:
    """The exit code of a command, with a line now and then while it runs."""
    began = time.monotonic()
    with subprocess.Popen(
        argv, env=environment, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as process:
        try:
            while True:
                try:
                    return process.wait(TOLD_SECONDS)
                except subprocess.TimeoutExpired:
                    log.info("%-9s %s goes on after %.0f s", "", what, time.monotonic() - began)
        except BaseException:
            process.kill()
            raise
