"""Metrics of processes that are gone are kept in one file, and no file or scrape stands in anybody's way."""

import asyncio
import fcntl
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from warmstart.http import metrics
from warmstart.pod.metric_files import PodMetrics, absorb

VALUES = {
    "counter": {("calls", "calls_total", "route", "/a"): 2.0, ("calls", "calls_total", "route", "/ä"): 1.5},
    "histogram": {
        ("seconds", "seconds_sum", "", ""): 0.3,
        ("seconds", "seconds_bucket", "le", "0.1"): 1.0,
        ("seconds", "seconds_bucket", "le", "+Inf"): 2.0,
    },
    "summary": {("sizes", "sizes_sum", "", ""): 7.0, ("sizes", "sizes_count", "", ""): 3.0},
}
KINDS = sorted(VALUES)


def write(folder: Path, kind: str, pid: int, values: Mapping[tuple[str, str, str, str], float] | None = None) -> Path:
    """The file of one process, by the library itself."""
    path = folder / f"{kind}_{pid}.db"
    file = MmapedDict(str(path))  # type: ignore[no-untyped-call]
    for (metric, name, label, value), number in (values or VALUES[kind]).items():
        labels = ([label], [value]) if label else ([], [])
        file.write_value(mmap_key(metric, name, *labels, "help"), number, 0.0)  # type: ignore[no-untyped-call]
    file.close()  # type: ignore[no-untyped-call]
    return path


def scrape(folder: Path) -> list[str]:
    """The lines of numbers, in order."""
    registry = CollectorRegistry()
    registry.register(PodMetrics(folder))
    return sorted(line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#"))


def test_what_processes_counted_outlives_them(tmp_path: Path) -> None:
    """The sums stay the same after processes die, also of a pid that comes twice; one file of each kind stays."""
    for pid in (11, 12, 13):
        for kind in KINDS:
            write(tmp_path, kind, pid)
    before = scrape(tmp_path)
    assert 'calls_total{route="/a"} 6.0' in before
    assert 'seconds_bucket{le="+Inf"} 9.0' in before
    for living in ({12, 13}, {12, 13}, {13}, set[int]()):
        absorb(tmp_path, living)
        assert scrape(tmp_path) == before
    assert sorted(file.name for file in tmp_path.glob("*.db")) == [f"{kind}_gone.db" for kind in KINDS]
    write(tmp_path, "counter", 11)
    absorb(tmp_path, set())
    assert 'calls_total{route="/a"} 8.0' in scrape(tmp_path)


def test_what_lives_is_not_touched(tmp_path: Path) -> None:
    """Neither a living process's file, nor a gauge, nor what isn't of the library."""
    kept = [write(tmp_path, "counter", 12), write(tmp_path, "gauge_livesum", 11, VALUES["summary"]), tmp_path / "x.db"]
    kept[2].touch()
    absorb(tmp_path, {12})
    assert all(file.exists() for file in kept)
    assert 'calls_total{route="/a"} 2.0' in scrape(tmp_path)


def test_a_gauge_by_process_goes_with_it(tmp_path: Path) -> None:
    """A gauge without a mode has a series for each process id, and none for those that are gone."""
    for pid in (11, 12):
        write(tmp_path, "gauge_all", pid, {("load", "load", "route", "/a"): 1.0})
    absorb(tmp_path, {12})
    assert scrape(tmp_path) == ['load{pid="12",route="/a"} 1.0']
    assert [file.name for file in tmp_path.glob("*.db")] == ["gauge_all_12.db"]


DAMAGED = {
    "empty": b"",
    "one byte": b"\x01",
    "just made": bytes(1 << 16),
    "longer than it is": b"\xff\xff\x00\x00" + bytes(60),
    "an entry beyond the end": b"\x40\x00\x00\x00" + bytes(4) + b"\xff" * 3 + bytes(57),
    "no text": b"\x28\x00\x00\x00" + bytes(4) + b"\x04\x00\x00\x00\xff\xff\xff\xff" + bytes(24),
    "no JSON": b"\x28\x00\x00\x00" + bytes(4) + b"\x04\x00\x00\x00abcd" + bytes(24),
    "other JSON": b"\x28\x00\x00\x00" + bytes(4) + b"\x04\x00\x00\x001234" + bytes(24),
}


@pytest.mark.parametrize("kind", [*KINDS, "gauge_livesum"])
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_hides_no_other(tmp_path: Path, kind: str, content: bytes) -> None:
    """A process may be killed at any byte of making it; the others' numbers are there, while it lives and later."""
    write(tmp_path, "counter", 12)
    whole = scrape(tmp_path)
    (tmp_path / f"{kind}_11.db").write_bytes(content)
    assert scrape(tmp_path) == whole
    absorb(tmp_path, set())
    assert scrape(tmp_path) == whole
    assert not (tmp_path / "counter_12.db").exists()


def test_the_master_never_waits_for_a_scrape(tmp_path: Path) -> None:
    """While somebody reads, files stay as they are; the next call does it."""
    file = write(tmp_path, "counter", 11)
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_SH)
    absorb(tmp_path, set())
    assert file.exists()
    os.close(lock)
    absorb(tmp_path, set())
    assert not file.exists()


def test_a_full_disk_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On a full disk the files of dead processes stay, and one line says so."""
    file = write(tmp_path, "counter", 11)
    (tmp_path / "counter_gone.new").mkdir()
    absorb(tmp_path, set())
    assert file.exists()
    assert "stay in their files" in caplog.text


def test_scrapes_share_one_thread_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop turns while a scrape reads; requests during it get the same text, later ones a new one."""
    may_end, calls = threading.Event(), []

    def slow() -> bytes:
        calls.append(threading.current_thread() is threading.main_thread())
        may_end.wait(10)
        return b"text"

    monkeypatch.setattr(metrics, "_text", slow)

    async def ask() -> list[object]:
        asking = [asyncio.create_task(metrics.counted()) for _ in range(3)]
        await asyncio.sleep(0)
        asking[0].cancel()  # a client that left takes nothing from the others
        asyncio.get_running_loop().call_soon(may_end.set)
        answers = await asyncio.gather(*asking, return_exceptions=True)
        return [each if isinstance(each, bytes) else None for each in answers]

    assert asyncio.run(ask()) == [None, b"text", b"text"]
    assert calls == [False]
    assert asyncio.run(ask()) == [None, b"text", b"text"]
    assert calls == [False, False]


def test_a_scrape_does_not_wait_for_the_applications_threads() -> None:
    """Calls that hang in asyncio's own pool are a fault that the metrics must show."""
    may_end = threading.Event()

    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        hangs = loop.run_in_executor(None, may_end.wait, 30)
        try:
            return await asyncio.wait_for(metrics.counted(), 10)
        finally:
            may_end.set()
            await hangs

    assert asyncio.run(ask())
