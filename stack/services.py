"""The two services, each under gunicorn with its own gunicorn.conf.py, as in every other deployment."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from stack.daemon import Command
from stack.environment import UTF8, above
from stack.errors import StackError
from stack.interface import Part
from stack.ports import HOST
from stack.program import Program
from stack.site import DEFAULT_ROOT, REPOSITORY, Site

STEP_SECONDS = 120.0
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


def service_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program of ours: what it inherits, the stack's own values above it."""
    bin_folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)])
    return {**DEFAULTS, **above({**UTF8, "PATH": path, "HF_HUB_OFFLINE": "1", **own})}


def run_step(what: str, module: str, environment: Mapping[str, str], log_file: Path) -> None:
    """Run `python -m module` once, before a service starts: a step that belongs in no lifespan.

    Raises:
        StackError: with the end of what it printed.
    """
    with log_file.open("w+") as log:
        try:
            done = subprocess.run(
                [sys.executable, "-m", module],
                env=service_environment(environment),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=STEP_SECONDS,
                check=False,
            )
            failure = f"exit code {done.returncode}" if done.returncode else None
        except subprocess.TimeoutExpired:
            failure = f"no end within {STEP_SECONDS:g} s"
        if failure:
            log.seek(0)
            raise StackError(f"{what} failed ({failure}):\n{log.read()[-3000:]}")
