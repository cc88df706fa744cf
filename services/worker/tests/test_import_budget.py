"""What a worker imports before it is ready has a budget: imports are most of its start."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

# The most modules of each package that is not this project's: one more may cost as much as the whole package.
# Who needs another one measures its price (`make startup-profile`), and enters it here.
BUDGET = {
    "annotated_doc": 2,
    "annotated_types": 1,
    "anyio": 16,
    "click": 13,
    "cython_runtime": 1,
    "dotenv": 4,
    "fastapi": 45,
    "gunicorn": 26,
    "httptools": 8,
    "numpy": 90,
    "openvino": 90,
    "opentelemetry": 32,
    "orjson": 2,
    "prometheus_client": 20,
    "pydantic": 75,
    "pydantic_core": 3,
    "pydantic_settings": 24,
    "sniffio": 3,
    "starlette": 25,
    "tokenizers": 15,
    "typing_extensions": 1,
    "typing_inspection": 3,
    "uvicorn": 26,
}
# Packages of the standard library. prometheus_client brings email, html, http, urllib and wsgiref: 15 ms.
STANDARD = {
    *("asyncio", "collections", "concurrent", "ctypes", "email", "encodings", "html", "http", "importlib", "json"),
    *("logging", "multiprocessing", "os", "pathlib", "re", "string", "sysconfig", "urllib", "wsgiref", "zoneinfo"),
}
MOST_STANDARD = 320  # modules of the standard library, 270 of them with Python 3.11

START = """
import json, os, sys
before = set(sys.modules)  # an interpreter's own, a debugger's
import gunicorn.app.wsgiapp, warmstart.pod.configure, warmstart.pod.worker
from worker import asgi
asgi.ALONE_SECONDS = 60  # a slow machine may take longer than the second
asgi.create_app()
modules = {name: module for name, module in list(sys.modules.items()) if name not in before}
packages = [name for name, module in modules.items() if hasattr(module, "__path__")]
print(json.dumps([list(modules), packages]), flush=True)
os._exit(0)  # the warm-up is under way
"""


def test_a_start_imports_no_more_than_its_budget(monkeypatch: pytest.MonkeyPatch, artifacts: Path) -> None:
    """gunicorn, the loaded model and the application come with these packages, and so many modules of each."""
    monkeypatch.setenv("ARTIFACTS", str(artifacts))
    monkeypatch.setenv("ENGINE", "openvino")
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, timeout=120, check=True)
    modules, packages = json.loads(done.stdout)
    own = {"contract", "warmstart", "worker"}
    standard = {*sys.stdlib_module_names, "__main__"}
    found = Counter(top for name in modules if (top := name.split(".")[0]) not in own | standard and top[0] != "_")
    assert {name: count for name, count in found.items() if count > BUDGET.get(name, 0)} == {}
    assert [name for name in modules if name.startswith("worker.predictor")] == []  # nothing of what is off
    top_packages = {name for name in packages if "." not in name and name[0] != "_"}
    assert top_packages & standard <= STANDARD
    assert sum(name.split(".")[0] in standard for name in modules) <= MOST_STANDARD
