"""A copy of the repository in which commands run as a reader would run them, on other ports."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from stack import free_ports
from stack.environment import inherited
from stack.ports import DEFAULTS, VARIABLES
from tests.commands.blocks import ROOT

LONGEST = 120  # seconds of one block
SETTINGS = {"STACK": "embedded", "DRAIN_SECONDS": "0"}  # no balancer is there to be waited for


class Checkout:
    """The files that git knows, as they are now, beside this checkout's environment and model."""

    def __init__(self, folder: Path) -> None:
        """Copies them. Their age is that of the epoch, so that make finds .venv newer and installs nothing."""
        self._folder = folder
        self._ports = free_ports()
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
                os.utime(folder / name, (0, 0))
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / ".warmstart").mkdir()
        (folder / ".warmstart" / "artifacts").symlink_to(ROOT / ".warmstart" / "artifacts")

    def run(self, script: str) -> tuple[int, str]:
        """Exit status of a script that ends with the first command that fails, and all that it printed.

        Raises subprocess.TimeoutExpired, after it and its children have been killed.
        """
        for part, port in DEFAULTS.items():
            script = script.replace(f"localhost:{port}", f"localhost:{self._ports[part]}")
        script = script.replace("/etc/warmstart", "$PWD/.warmstart/etc")
        ports = {VARIABLES[part]: str(port) for part, port in self._ports.items()}
        path = f"{self._folder}/.venv/bin:{os.environ['PATH']}"  # as after `source .venv/bin/activate`
        said = self._folder / "said"
        argv = ["bash", "-e", "-o", "pipefail", "-c", script]
        with said.open("w") as file:  # no pipe: what the stack starts would keep it open
            process = subprocess.Popen(
                argv,
                cwd=self._folder,
                env={**inherited(), **SETTINGS, **ports, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return status, said.read_text()
