"""Measures other programs' use of the machine during a trial: a start beside a busy program says little."""

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

import psutil

LIMIT = 0.1  # of all CPUs; beyond it a trial is disturbed
NAMED, LEAST = 3, 0.02  # how many programs to name, and the least share of all CPUs of each


class Others:
    """Counts from its creation on.

    The trial consists of `own`, this process, and those that it runs and waits for.
    """

    def __init__(self, own: Iterable[int] = ()) -> None:
        self._began = time.monotonic()
        self._before = {pid: _used(pid) for pid in own}
        self._busy, self._here, self._stolen = _busy(), _here(), _stolen()

    def share(self, own: Iterable[int]) -> float:
        """Of all CPU time since then, how much went to others; `own` must still run, and be known or younger."""
        mine = _here() - self._here + sum(_used(pid) - self._before.get(pid, 0.0) for pid in own)
        return round(max(0.0, _busy() - self._busy - mine) / self._available(), 3)

    def stolen(self) -> float:
        """The part that the host of this virtual machine took, which is no program here; 0 where it is unknown."""
        return round(max(0.0, _stolen() - self._stolen) / self._available(), 3)

    def _available(self) -> float:
        return (time.monotonic() - self._began) * (psutil.cpu_count() or 1)


class Programs:
    """Which programs used the CPUs since its creation.

    It reads all processes, which takes too long while a start is timed.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = _times()

    def busiest(self, own: Collection[int]) -> dict[str, float]:
        """The share of all CPUs of those programs that used most, without `own`, this process and its descendants."""
        ours = {os.getpid(), *own, *(child.pid for child in psutil.Process().children(recursive=True))}
        used: dict[str, float] = defaultdict(float)
        for (pid, name), seconds in _times().items():
            if pid not in ours:
                used[name] += max(0.0, seconds - self._before.get((pid, name), 0.0))
        available = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        most = sorted(used, key=used.__getitem__, reverse=True)[:NAMED]
        return {name: round(used[name] / available, 3) for name in most if used[name] >= LEAST * available}


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0) - getattr(times, "guest", 0))


def _stolen() -> float:
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def _here() -> float:
    return sum(os.times()[:4])


def _used(pid: int) -> float:
    with suppress(psutil.Error):
        return float(sum(psutil.Process(pid).cpu_times()[:2]))
    return 0.0


def _times() -> Mapping[tuple[int, str], float]:
    """CPU seconds by process. On macOS, processes of other users can't be read."""
    found = (each.info for each in psutil.process_iter(["pid", "name", "cpu_times"]))
    return {(each["pid"], each["name"]): float(sum(each["cpu_times"][:2])) for each in found if each["cpu_times"]}
