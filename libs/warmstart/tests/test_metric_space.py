"""A full disk costs metrics, not processes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = """
import os
from warmstart.pod import metric_space
metric_space.install()
from prometheus_client import Counter, Histogram
calls = Counter("calls", "help", ["n"])
for n in range(3000):
    calls.labels(n).inc()
Histogram("seconds", "help").observe(1)
calls.labels(0).inc()
print([calls.labels(n)._value.get() for n in (0, 1, 2999)])
"""
MOUNT = 'mount -t tmpfs -o size={size} none "$PROMETHEUS_MULTIPROC_DIR"; exec "$0" -c "$1"'


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare (util-linux)")
@pytest.mark.parametrize(("size", "lines"), [("4k", 2), ("100k", 2), ("16m", 0)])
def test_a_process_counts_on_when_the_folder_is_full(tmp_path: Path, size: str, lines: int) -> None:
    """From its first file on, or when a file grows: it isn't ended by SIGBUS, and one line for each file says it."""
    private = ["unshare", "--map-root-user", "--mount", "sh", "-e", "-c"]
    env = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    if subprocess.run([*private, "mount -t tmpfs none /mnt"], check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    ran = subprocess.run(
        [*private, MOUNT.format(size=size), sys.executable, COUNTS],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (0, "[2.0, 1.0, 1.0]\n"), ran.stderr
    assert ran.stderr.count("no space for") == lines
