"""infinity-emb in an environment of its own, since its dependencies differ from ours.

`infinity.lock` pins them by hash; torch is the same CPU build as ours (see requirements/torch.txt).
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stack.site import DEFAULT_ROOT, REPOSITORY

FOLDER = DEFAULT_ROOT / "bench" / "infinity"
LOCK = Path(__file__).parent / "infinity.lock"
TORCH = REPOSITORY / "requirements" / "torch.txt"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"

OPTIONS = ("--engine", "torch", "--no-bettertransformer", "--host", "127.0.0.1")
ENVIRONMENT = {"DO_NOT_TRACK": "1"}  # turns its usage reports off


class NotInstalled(Exception):
    """pip could not install it; the message is the end of what pip said."""


def program() -> Path:
    """The command `infinity_emb`, installed on first use (1.5 GB, one to two minutes). Raises NotInstalled."""
    stamp = FOLDER / ".installed"
    wanted = hashlib.sha256(LOCK.read_bytes() + TORCH.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("infinity: installing infinity-emb 0.0.78 into .warmstart/bench/infinity", flush=True)
        _install()
        stamp.write_text(wanted)
    return FOLDER / "bin" / "infinity_emb"


def _install() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(FOLDER))
    _pip("--require-hashes", "-r", str(LOCK))
    try:
        _pip("-r", str(TORCH))
    except NotInstalled:  # an index that pip doesn't use by default
        _pip("--index-url", os.environ.get("TORCH_INDEX") or TORCH_INDEX, "-r", str(TORCH))


def _pip(*arguments: str) -> None:
    pip = (str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps")
    _run(*pip, *arguments)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"{' '.join(argv[1:4])} …: {done.stderr.strip()[-600:]}")
