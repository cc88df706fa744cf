"""The files in which prometheus_client keeps the metrics of several processes: `counter_<pid>.db` and the like.

By default the files of dead processes stay, and each scrape reads them all: 278 ms after 1,000 of them. Here
gunicorn's master adds a dead process's counts to those of its predecessors. A lock keeps a scrape from counting a
process twice, or not at all, in between.
"""

import fcntl
import json
import logging
import os
import re
import struct
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

log = logging.getLogger("warmstart.metrics")

FILE = re.compile(r"(counter|histogram|summary|gauge_[a-z]+)_(\d+|gone)\.db")
SUMMED = ("counter", "histogram", "summary")  # the gauges of a dead process mean nothing, or have a mode of their own
# The default mode: a series for each process id. Those of the dead would only grow in number.
EACH = "gauge_all"
GONE = "gone"  # in place of the process id
DAMAGE = (OSError, ValueError, TypeError, RuntimeError, struct.error)  # what prometheus_client raises for such a file


class PodMetrics:
    """What a registry collects: the sums over all processes, dead ones included."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Sum up all files but those that can't be read: a process is making one, or was killed meanwhile."""
        with _locked(self._folder, fcntl.LOCK_SH):
            files = [str(file) for file in self._folder.iterdir() if FILE.fullmatch(file.name)]
            try:
                return _merged(files)
            except DAMAGE:
                return _merged([file for file in files if _is_whole(file)])


def absorb(folder: Path, living: Collection[int]) -> None:
    """Add the counts of dead processes (not in `living`) to those of their predecessors, and remove their files.

    A gauge that names no mode is removed with its process.

    The master calls this, and must not wait: while a scrape runs, it does nothing, and the next call does the work.
    """
    try:
        with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for kind in SUMMED:
                if dead := _dead(folder, kind, living):
                    _add(folder / f"{kind}_{GONE}.db", dead)
            for file in _dead(folder, EACH, living):
                file.unlink()
    except BlockingIOError:
        return
    except OSError as error:  # the disk is full; the files stay, so nothing is lost
        log.warning("metrics of dead processes stay in their files: %s", error)


def _dead(folder: Path, kind: str, living: Collection[int]) -> list[Path]:
    found = [(file, FILE.fullmatch(file.name)) for file in folder.glob(f"{kind}_*.db")]
    return [file for file, name in found if name and name[2] != GONE and int(name[2]) not in living]


def _add(total: Path, dead: Collection[Path]) -> None:
    sums: defaultdict[str, float] = defaultdict(float)
    for file in [total, *dead]:
        if not file.exists():
            continue
        if not _is_whole(str(file)):
            log.warning("damaged file of metrics: %s", file.name)
            continue
        for key, value in _entries(str(file)):
            sums[key] += value
    new = total.with_suffix(".new")
    new.write_bytes(_encoded(sums))
    new.replace(total)
    for file in dead:
        file.unlink()


def _encoded(sums: Mapping[str, float]) -> bytes:
    """The content of a file as `prometheus_client.mmap_dict` reads it.

    The file is written as a whole: with a write through the mapping, a full disk would kill the process.
    """
    entries = bytearray()
    for key, value in sums.items():
        text = key.encode()
        padded = text + b" " * (8 - (len(text) + 4) % 8)
        entries += struct.pack(f"i{len(padded)}sdd", len(text), padded, value, 0.0)
    return struct.pack("ii", 8 + len(entries), 0) + bytes(entries)


def _merged(files: Collection[str]) -> Iterable[Metric]:
    return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call, no-any-return]


def _entries(file: str) -> Iterator[tuple[str, float]]:
    for key, value, *_ in MmapedDict.read_all_values_from_file(file):  # type: ignore[no-untyped-call]
        yield key, value


def _is_whole(file: str) -> bool:
    """Whether every entry of a file can be read."""
    try:
        for key, _value in _entries(file):
            _metric, _name, labels, _help = json.loads(key)
            labels.items()
    except (*DAMAGE, AttributeError):
        return False
    return True


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """A lock between processes, freed when its process ends.

    Raises BlockingIOError with LOCK_NB when another process holds it.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)
