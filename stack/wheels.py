"""Puts torch's CPU wheel into an image for builds: PyPI doesn't have it, and builds can't read the host's folders.

The worker's target `torch` has it. Builds ask `TORCH_INDEX`; where that can't be reached, this host's
pip may still find the wheel, in a folder of wheels or in an index of its own configuration.
"""

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from stack.docker import docker
from stack.errors import StackError
from stack.site import REPOSITORY

log = logging.getLogger(__name__)

IMAGE = "warmstart-wheels"
FOUND = "FROM scratch\nCOPY *.whl /\n"
PYTHON = "3.11"  # of the images
SECONDS = 300.0  # 200 MB


def image() -> str:
    """The image's name, made if this host's pip finds the wheel; empty if it doesn't. Raises StackError."""
    try:
        docker("image", "inspect", IMAGE)
    except StackError:
        with tempfile.TemporaryDirectory() as folder:
            if not _download(folder):
                return ""
            (Path(folder) / "Dockerfile").write_text(FOUND)
            docker("build", "--tag", IMAGE, folder)
            log.info("%-9s torch's CPU wheel is where this host's pip looks: %s passes it to builds", "images", IMAGE)
    return IMAGE


def _download(folder: str) -> bool:
    requirement = ("--requirement", str(REPOSITORY / "requirements" / "torch.txt"))
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON, "--dest", folder)
    pip = (sys.executable, "-m", "pip", "download", *options, *requirement)
    try:
        return subprocess.run(pip, check=False, capture_output=True, timeout=SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False
