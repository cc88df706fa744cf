"""The clients, installed on first use beside the project: their dependencies are not ours.

441 MB of Python packages in six seconds from a cache, 20 MB for node; both are pinned by hash.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from stack.site import DEFAULT_ROOT

HERE = Path(__file__).parent
FOLDER = DEFAULT_ROOT / "clients"
LOCK = HERE / "clients.lock"
UV = Path(sys.executable).parent / "uv"


class NotInstalled(Exception):
    """A client could not be installed; the message is the end of what the installer said."""


def python() -> Path:
    """An interpreter that has the clients of clients.lock. Raises NotInstalled."""
    folder = FOLDER / "python"
    interpreter = folder / "bin" / "python"
    if not _is_current(folder, LOCK):
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(folder))
        locked = ("--no-deps", "--require-hashes", "-r", str(LOCK))
        try:
            _run(str(UV), "pip", "install", "--python", str(interpreter), *locked)
        except NotInstalled:  # uv knows nothing of pip's configuration, and its index may be out of reach
            _run(str(interpreter), "-m", "pip", "install", "--no-compile", *locked)
        _stamp(folder, LOCK)
    return interpreter


def node() -> Path:
    """The script of OpenAI's client for JavaScript, beside its modules. Raises NotInstalled."""
    folder = FOLDER / "node"
    lock = HERE / "node" / "package-lock.json"
    if not _is_current(folder, lock):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE / "node", folder)
        _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder))
        _stamp(folder, lock)
    return Path(shutil.copy(HERE / "node" / "openai.mjs", folder))


def _is_current(folder: Path, lock: Path) -> bool:
    stamp = folder / ".installed"
    return stamp.exists() and stamp.read_text() == hashlib.sha256(lock.read_bytes()).hexdigest()


def _stamp(folder: Path, lock: Path) -> None:
    (folder / ".installed").write_text(hashlib.sha256(lock.read_bytes()).hexdigest())


def _run(*argv: str) -> None:
    try:
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=300)
    except subprocess.CalledProcessError as error:
        raise NotInstalled(error.stderr.strip()[-300:]) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
