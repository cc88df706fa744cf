"""The ways in which people run an application: each step is run in all of them."""

import sys
from enum import StrEnum
from pathlib import Path

from tests.harness import Gunicorn
from tests.harness.gunicorn import REPOSITORY, SCRIPT

EXAMPLES = REPOSITORY / "examples"
QUICK = {"DRAIN_SECONDS": 1, "HEALTH_INTERVAL": 0.1, "LOAD_SECONDS": 0.1}
SOME_TIME = 1  # second of loading, for tests that must see it
FOR_EVER = 600  # seconds of loading, for tests that look while a model loads


class Way(StrEnum):
    """How the application is run."""

    UVICORN = "uvicorn"
    GUNICORN = "gunicorn"
    PROCESSES = "gunicorn-3-processes"

    @property
    def processes(self) -> int:
        """How many of them serve."""
        return 3 if self is Way.PROCESSES else 1

    @property
    def binds_first(self) -> bool:
        """Whether probes are answered while the model loads (docs/lifecycle.md, rule 4)."""
        return self is not Way.UVICORN


class Server(Gunicorn):
    """`app` in a folder of its own, by `way`; `plain` is gunicorn as tutorials run it."""

    def __init__(self, way: Way, app: str, folder: Path, *, plain: bool = False, **env: object) -> None:
        own = {"PYTHONPATH": EXAMPLES, "WEB_CONCURRENCY": way.processes, **QUICK, **env}
        conf = "step5.conf.py" if app.startswith("step5") else "gunicorn.conf.py"
        super().__init__(EXAMPLES / conf, folder, **own)
        self.way, self.cwd = way, folder
        if way is Way.UVICORN:
            factory = ["--factory"] if app.endswith("()") else []
            self.command = [sys.executable, "-m", "uvicorn", "--port", str(self.port), *factory, app.removesuffix("()")]
        elif plain:
            worker = ["-k", "uvicorn_worker.UvicornWorker", "-w", str(way.processes)]
            self.command = [SCRIPT, "-b", f"127.0.0.1:{self.port}", *worker, app]
        else:
            self.command += [app]
