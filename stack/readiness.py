"""Wait for several parts at once, reporting each change."""

import logging
import time
from collections.abc import Iterable

from stack.errors import StackError
from stack.program import Program

log = logging.getLogger(__name__)

INTERVAL = 0.1  # seconds


def wait_ready(programs: Iterable[Program]) -> None:
    """Return when all are ready; log a line whenever one describes itself differently.

    Raises:
        StackError: one ended, or took longer than its `start_seconds`; with the end of its log.
    """
    begun = time.monotonic()
    pending = list(programs)
    details: dict[str, str] = {}
    while pending:
        for program in tuple(pending):
            ended = program.daemon.main() is None
            health = program.health()
            if health.detail != details.get(program.name) and not ended:
                details[program.name] = health.detail
                log.info("%-9s %s", program.name, health.detail)
            if ended:
                raise _failure(program, f"ended with exit code {program.daemon.exit_code()}")
            if health.ready:
                pending.remove(program)
            elif time.monotonic() - begun > program.start_seconds:
                raise _failure(program, f"not ready within {program.start_seconds:g} s: {health.detail}")
        if pending:
            time.sleep(INTERVAL)


def _failure(program: Program, reason: str) -> StackError:
    daemon = program.daemon
    return StackError(f"{program.name} {reason}\n--- the end of {daemon.log_file}\n{daemon.tail()}")
