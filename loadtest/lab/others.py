"""What else the machine did during a trial: a start next to somebody's build says little about starts."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

LIMIT = 0.1  # of all CPUs; beyond it a trial is left out


class Others:
    """Counts from its creation on. The trial is about `own`, this process, and those that it runs and waits for."""

    def __init__(self, own: Iterable[int] = ()) -> None:
        self._began = time.monotonic()
        self._before = {pid: _used(pid) for pid in own}
        self._busy, self._here = _busy(), _here()

    def share(self, own: Iterable[int]) -> float:
        """Of all CPU time since then, how much went to others; `own` must still run, and be known or younger."""
        available = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        mine = _here() - self._here + sum(_used(pid) - self._before.get(pid, 0.0) for pid in own)
        return round(max(0.0, _busy() - self._busy - mine) / available, 3)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0) - getattr(times, "guest", 0))


def _here() -> float:
    return sum(os.times()[:4])


def _used(pid: int) -> float:
    with suppress(psutil.Error):
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    return 0.0
