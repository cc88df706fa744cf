"""Describes the machine of a measurement: enough to compare, nothing that identifies it."""

import importlib.metadata
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from stack.site import REPOSITORY

PACKAGES = ("fastapi", "gunicorn", "uvicorn", "torch", "sentence-transformers", "onnxruntime", "openvino", "tokenizers")


def describe(stack: str) -> dict[str, Any]:
    """Hardware, system, versions and the commit; `stack` is what the services ran on."""
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "stack": stack,
        "cpu": _cpu(),
        "cpus": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _cpu() -> str:
    table = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", table.read_text()) if table.exists() else None
    return found[1] if found else platform.processor()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    try:
        command = ("git", "describe", "--always", "--dirty")
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
