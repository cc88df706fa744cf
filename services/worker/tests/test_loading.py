"""Signals while and after C++ libraries are loaded: each case in a process of its own, since it may crash."""

import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
import os, pathlib, signal
os.kill(os.getpid(), signal.SIGTERM)
pathlib.Path("loaded").touch()
"""

LOADING = """
import signal
from worker.artifact.loading import load_onnx
signal.signal(signal.SIGTERM, signal.{handler})
try:
    load_onnx()
    print("loaded")
except KeyboardInterrupt:
    print("interrupted")
"""

TWO_GRAPHS = """
import os, pathlib, signal, sys
from worker.artifact.compiled import load_graph
from worker.artifact.manifest import Manifest
folder = pathlib.Path(sys.argv[1])
variant = next(each for each in Manifest.read(folder).variants if each.engine == "openvino")
graphs = [load_graph(folder, variant, 1), load_graph(folder, variant, 1)]
graphs.pop(0)
graphs.pop(0)
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def run(program: str, *arguments: str, folder: Path | None = None) -> tuple[int, str]:
    """Status and output; modules in the folder come before those that are installed."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(("handler", "said"), [("default_int_handler", "interrupted"), ("SIG_IGN", "loaded")])
def test_a_signal_waits_until_onnx_is_imported(tmp_path: Path, handler: str, said: str) -> None:
    """In place of onnx there is a module that gets the signal: it is imported whole, and what was to happen comes then.

    That is an interrupt, or nothing where the signal was ignored, as a shell has a program in the background ignore it.
    """
    (tmp_path / "onnx.py").write_text(LOADED)
    assert run(LOADING.format(handler=handler), folder=tmp_path) == (0, f"{said}\n")
    assert (tmp_path / "loaded").exists()


def test_a_signal_after_openvinos_graphs_have_ended_is_heard(artifacts: Path) -> None:
    """Two graphs end in the order in which they were loaded, and the process hears SIGTERM then."""
    assert run(TWO_GRAPHS, str(artifacts / "all-MiniLM-L6-v2")) == (0, "heard\n")
