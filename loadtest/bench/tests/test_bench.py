"""The whole program, once, on the engine that needs no model."""

import json
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path

import psutil

from loadtest.bench.summary import FIGURES
from stack import until
from stack.site import REPOSITORY

SYSTEMS = ("worker-fake", "limit-fake", "bare-fastapi", "bare-redis", "worker-nonsense")


def test_a_short_run_writes_all_its_results(tmp_path: Path) -> None:
    """One round of four systems and one that can't be had: rows, summary, table and picture, and the reason."""
    options = {"--rounds": "1", "--scale": "0.08", "--systems": ",".join(SYSTEMS), "--reports": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.bench", *chain.from_iterable(options.items())],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "worker-nonsense: not measured: " in done.stdout
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["rounds"] == 1
    assert list(summary["systems"]) == ["worker-fake", "limit-fake", "bare-fastapi", "bare-redis"]
    for figures in summary["systems"].values():
        assert list(figures) == list(FIGURES)
        assert all(value > 0 for value in figures.values())
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["system"] for row in rows] == list(SYSTEMS)
    assert all(value > 0 for value in rows[0]["in_turns"].values())  # with its limit, which does less
    assert list(rows[0]["in_turns"]) == ["p50_ms_c1", "texts_per_s_c32", "texts_per_s_b32"]
    assert rows[1]["client_cpu"] == rows[0]["client_cpu"]  # what burned beside the limit
    assert (tmp_path / "table.txt").read_text().strip() in done.stdout
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    """A run that is ended in the middle ends the server that it measures."""
    options = ("--rounds", "1", "--systems", "worker-fake", "--reports", str(tmp_path))
    run = subprocess.Popen([sys.executable, "-m", "loadtest.bench", *options], cwd=REPOSITORY)
    master = psutil.Process(run.pid)
    until(lambda: bool(master.children()), 30, "the server's start", lambda: "no server yet")
    servers = master.children(recursive=True)
    run.terminate()
    assert run.wait(30) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(servers, timeout=10)
    assert not alive
