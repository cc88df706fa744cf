"""torch is imported when a model is loaded, in the thread that will run the model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["torch", "transformers", "sentence_transformers"]

IMPORT_APP = f"""
import json, sys, worker.app
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""

START = f"""
import json, sys, threading
threads = {{}}
def audit(event, args):
    if event == "import" and args[0] in {HEAVY}:
        threads.setdefault(args[0], threading.current_thread().name)
sys.addaudithook(audit)
from fastapi.testclient import TestClient
from worker.app import create_app
from worker.settings import WorkerSettings
with TestClient(create_app(WorkerSettings(engine=sys.argv[1]))):
    print(json.dumps(threads))
"""


CONVERTER = """
import json, sys, worker.artifact.compiled
print(json.dumps([name for name in sys.modules if name.startswith(("openvino.tools", "openvino_telemetry"))]))
"""


def run(program: str, *arguments: str) -> tuple[object, str]:
    """What a program of its own printed as JSON, and its stderr."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout), done.stderr


def test_importing_the_app_imports_no_model_library() -> None:
    """Probes answer early because `worker.app` is light."""
    assert run(IMPORT_APP)[0] == []


@pytest.mark.reference
def test_the_libraries_are_imported_in_the_inference_thread() -> None:
    """The event loop's thread imports none of them, and no progress bar is drawn into the log."""
    threads, stderr = run(START, "sentence-transformers")
    assert threads == dict.fromkeys(HEAVY, "inference")
    assert "it/s" not in stderr


@pytest.mark.parametrize("engine", ["auto", "onnx", "openvino"])
def test_an_artifact_needs_no_torch(engine: str, monkeypatch: pytest.MonkeyPatch, artifacts: Path) -> None:
    """From the start to the end of its life, a worker that runs an artifact imports neither torch nor transformers."""
    monkeypatch.setenv("ARTIFACTS", str(artifacts))
    assert run(START, engine)[0] == {}


def test_openvino_comes_without_its_converter() -> None:
    """A worker imports neither the converter of OpenVINO nor its telemetry."""
    assert run(CONVERTER)[0] == []
