"""What importing a part of the library brings along."""

import subprocess
import sys

import pytest


def imported_with(module: str) -> set[str]:
    """All modules that are there after `import module` in a new interpreter."""
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(run.stdout.splitlines())


@pytest.mark.parametrize("module", ["warmstart", "warmstart.errors", "warmstart.pod.configure"])
def test_gunicorns_master_imports_no_web_framework(module: str) -> None:
    """gunicorn's master, which imports the server's side of the library, never pulls in FastAPI.

    Nor prometheus_client, which must know its multiprocess folder before it is imported.
    """
    assert not {"fastapi", "prometheus_client"} & imported_with(module)
