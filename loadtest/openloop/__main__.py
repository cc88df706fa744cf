"""`python -m loadtest.openloop ROWS < PLAN`: one run in a process of its own.

SIGTERM and SIGINT stop it gently: no more requests leave, those in flight are waited for. With `--attached` after ROWS
it also stops when its standard input is closed, that is, when the calling process has ended. Exit code: 0, or 2 for an
invalid run.
"""

from gevent import monkey

monkey.patch_all()  # before any import of socket or threading, so that a request in flight is only a greenlet

import logging  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from contextlib import suppress  # noqa: E402
from pathlib import Path  # noqa: E402

from loadtest.openloop.generator import Generator  # noqa: E402
from loadtest.openloop.plan import Plan  # noqa: E402
from loadtest.openloop.rows import RowFile  # noqa: E402

INVALID = 2
ATTACHED = "--attached"


def main() -> int:
    """Run the plan that the first line of standard input holds."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with suppress(PermissionError):  # root only: the measured services must not delay the generator
        os.nice(-10)
    plan = Plan.from_json(sys.stdin.readline())
    with RowFile(Path(sys.argv[1]), plan) as file:
        generator = Generator(plan, file)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: generator.stop())
        if sys.argv[2:] == [ATTACHED]:
            threading.Thread(target=_stop_when_orphaned, args=(generator,), daemon=True).start()
        return 0 if generator.run().valid else INVALID


def _stop_when_orphaned(generator: Generator) -> None:
    select.select([sys.stdin], [], [])  # standard input is readable only at its end
    generator.stop()


if __name__ == "__main__":
    sys.exit(main())
