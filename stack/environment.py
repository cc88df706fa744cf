"""The environment of the embedded stack's programs, derived from that of this shell.

Settings of the services are the caller's choice and are passed on (`FAULTS_ENABLED=1 make up`), as is what tunes the
machine (OMP_NUM_THREADS, LD_PRELOAD). Variables for other programs, which would mislead ours, are not.
"""

import os
from collections.abc import Mapping

NOT_PASSED_ON = (
    "GUNICORN_",  # gunicorn: GUNICORN_CMD_ARGS overrides its configuration file, with another address or class
    "LISTEN_",  # gunicorn would use sockets of systemd instead of its own
    "NOTIFY_SOCKET",  # gunicorn would report to the systemd unit that this shell belongs to
    "PG",  # libpq, asyncpg and Postgres: PGSSLMODE, PGSERVICE, PGOPTIONS
    "PROMETHEUS_MULTIPROC_DIR",  # one folder for both services would mix their metrics
    "PYTHON",  # PYTHONPATH shadows our packages, PYTHONWARNINGS=error fails in others'
    "_PYTHON",  # conda's compilers: modules of a cross build
)
UTF8 = {"PYTHONUTF8": "1"}  # files are UTF-8, whatever LANG says


def inherited(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """This shell's variables without those that are meant for other programs."""
    return {name: value for name, value in environment.items() if not name.upper().startswith(NOT_PASSED_ON)}


def above(own: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Put our own values above the inherited ones.

    If the shell names a file for one of them (`NAME_FILE`), the file is not read. Names of settings count in any case.
    """
    ours = {f"{name}{suffix}".upper() for name in own for suffix in ("", "_FILE")}
    return {**{name: value for name, value in inherited(environment).items() if name.upper() not in ours}, **own}
