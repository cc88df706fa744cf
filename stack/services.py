"""The two services, each under gunicorn with its own gunicorn.conf.py, as in every other deployment."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from stack.daemon import Command
from stack.errors import StackError
from stack.interface import Part
from stack.ports import HOST
from stack.program import Health, Program
from stack.site import REPOSITORY, Site

PROBE_SECONDS = 1.0
MIGRATION_SECONDS = 120.0
# An http_proxy of the environment is no way to 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Service(Program):
    """The api or the worker.

    Args:
        name: its folder under services/.
        site: folder, ports and passwords.
    """

    # Above STARTUP_TIMEOUT: a service that can't start ends by itself, and says why.
    start_seconds = 120.0

    def __init__(self, name: Part, site: Site) -> None:
        self.name = name
        super().__init__(site)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def command(self, environment: Mapping[str, str]) -> Command:
        argv = (sys.executable, "-m", "gunicorn", "-c", f"services/{self.name}/gunicorn.conf.py")
        return Command(argv, service_environment({"PORT": str(self.port), **environment}))

    def health(self) -> Health:
        try:
            status, _ = fetch(f"{self.url}/readyz")
            if status == 200:
                return Health(ready=True, detail="ready")
            _, body = fetch(f"{self.url}/startupz")
        except ConnectionRefusedError:
            return Health(ready=False, detail="starting")
        except OSError as error:
            return Health(ready=False, detail=f"no answer: {error}")
        return Health(ready=False, detail=describe(body))


def service_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program of ours: this one's, the stack's own values above it."""
    bin_folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([bin_folder, os.environ.get("PATH", os.defpath)])
    return {"LOG_FORMAT": "console", **os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", **own}


def migrate(environment: Mapping[str, str], log_file: Path) -> None:
    """Bring the database to the newest schema: a step of its own, in no service's lifespan.

    Raises:
        StackError: with the end of what the migration printed.
    """
    with log_file.open("w+") as log:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "api.migrate"],
                env=service_environment(environment),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=MIGRATION_SECONDS,
                check=False,
            )
            failure = f"exit code {done.returncode}" if done.returncode else None
        except subprocess.TimeoutExpired:
            failure = f"no end within {MIGRATION_SECONDS:g} s"
        if failure:
            log.seek(0)
            raise StackError(f"the migration failed ({failure}):\n{log.read()[-3000:]}")


def fetch(url: str) -> tuple[int, bytes]:
    """Status and body of a GET, whatever the status; raises OSError when there is no answer."""
    try:
        with _opener.open(url, timeout=PROBE_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except urllib.error.URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else OSError(error.reason) from error


def describe(body: bytes) -> str:
    """One line from the answer of /startupz: the phase, and the resources that are not ready yet."""
    try:
        answer = json.loads(body)
        pending = [f"{r['name']} {r['state']}" for r in answer["resources"] if r["state"] != "ready"]
        return f"{answer['phase']} ({', '.join(pending)})" if pending else str(answer["phase"])
    except (ValueError, KeyError, TypeError):
        return f"unexpected answer of /startupz: {body[:200]!r}"
