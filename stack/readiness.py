"""Wait for several parts at once, reporting each change."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from stack.errors import StackError
from stack.interface import Part, PartStatus
from stack.waiting import until

log = logging.getLogger(__name__)


def wait_ready(
    look: Callable[[Collection[Part]], Iterable[PartStatus]],
    limits: Mapping[Part, float],
    end_of_log: Callable[[Part], str],
    interval: float = 0.1,
) -> None:
    """Return when all parts are ready; log a line whenever the status of a part changes.

    Args:
        look: asks the parts that are not ready yet.
        limits: the parts to wait for, and the seconds that each has from now on.
        end_of_log: the end of a part's log, for the error.
        interval: seconds between two looks.

    Raises:
        StackError: a part ended, can never be ready, or took longer than its limit; with the end of its log.
    """
    begun = time.monotonic()
    pending = set(limits)
    details: dict[Part, str] = {}

    def all_ready() -> bool:
        for status in look(tuple(pending)):
            part = status.part
            _require_hope(status, end_of_log, begun, limits[part])
            if status.detail != details.get(part):
                details[part] = status.detail
                log.info("%-9s %s", part, status.detail)
            if status.ready:
                pending.remove(part)
        return not pending

    until(all_ready, max(limits.values(), default=0), ", ".join(sorted(limits)), interval=interval)


def _require_hope(status: PartStatus, end_of_log: Callable[[Part], str], begun: float, limit: float) -> None:
    part = status.part
    if status.hopeless:
        raise StackError(f"{part}: {status.detail}")
    if not status.running:
        raise StackError(f"{part} ended with exit code {status.exit_code}\n{end_of_log(part)}")
    if not status.ready and time.monotonic() - begun > limit:
        raise StackError(f"{part} not ready within {limit:g} s: {status.detail}\n{end_of_log(part)}")
