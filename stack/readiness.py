"""Wait for several parts at once, reporting each change."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from stack.errors import StackError
from stack.interface import Part, PartStatus

log = logging.getLogger(__name__)


def wait_ready(
    look: Callable[[Collection[Part]], Iterable[PartStatus]],
    limits: Mapping[Part, float],
    end_of_log: Callable[[Part], str],
    interval: float = 0.1,
) -> None:
    """Return when all are ready; log a line whenever one describes itself differently.

    Args:
        look: asks those that are not ready yet.
        limits: the parts to wait for, and the seconds that each has from now on.
        end_of_log: what a part said last, for the error.
        interval: seconds between two looks.

    Raises:
        StackError: one ended, or took longer than its limit; with the end of its log.
    """
    begun = time.monotonic()
    pending = set(limits)
    details: dict[Part, str] = {}
    while pending:
        for status in look(tuple(pending)):
            part = status.part
            if not status.running:
                raise StackError(f"{part} ended with exit code {status.exit_code}\n{end_of_log(part)}")
            if status.detail != details.get(part):
                details[part] = status.detail
                log.info("%-9s %s", part, status.detail)
            if status.ready:
                pending.remove(part)
            elif time.monotonic() - begun > limits[part]:
                raise StackError(f"{part} not ready within {limits[part]:g} s: {status.detail}\n{end_of_log(part)}")
        if pending:
            time.sleep(interval)
