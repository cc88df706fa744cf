"""What else the machine did during a trial: a start next to somebody's build says little about starts."""

import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

LIMIT = 0.1  # of all CPUs; beyond it a trial is left out


class Others:
    """Counts from its creation on; `own` below are the processes that the trial is about."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy, self._here = _busy(), time.process_time()

    def share(self, own: Iterable[int]) -> float:
        """Of all CPU time since then, how much went to processes that are neither this one nor `own`.

        `own` must have been started since, and still run.
        """
        available = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        mine = time.process_time() - self._here + sum(map(_used, own))
        return round(max(0.0, _busy() - self._busy - mine) / available, 3)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0) - getattr(times, "guest", 0))


def _used(pid: int) -> float:
    with suppress(psutil.Error):
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    return 0.0
