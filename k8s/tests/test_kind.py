"""`make kind`: the images that it builds are those that it loads and the manifests name, whatever the shell has set."""

import os
import shutil
import subprocess
from pathlib import Path

from k8s.tests.rendering import K8S

# What the script calls, in its place: each writes down how it was called.
RECORD = '#!/bin/sh\necho "$(basename "$0") target=${WORKER_TARGET-unset} $*" >> "$RECORD"\n'


def test_it_needs_no_torch(tmp_path: Path) -> None:
    """With WORKER_TARGET=torch in the shell too, the default target is built, which has no torch, and loaded."""
    shutil.copytree(K8S, tmp_path / "k8s", ignore=lambda _, names: [each for each in names if each != "kind.sh"])
    commands = [tmp_path / "bin" / each for each in ("docker", "kind", "kubectl", "make")]
    for command in (*commands, tmp_path / ".venv" / "bin" / "python"):
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(RECORD)
        command.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "RECORD": str(tmp_path / "record"),
        "WORKER_TARGET": "torch",
    }
    subprocess.run([tmp_path / "k8s" / "kind.sh"], env=environment, check=True, capture_output=True, timeout=60)
    calls = (tmp_path / "record").read_text().splitlines()
    assert "python target= -m stack images" in calls
    loaded = next(call for call in calls if " load docker-image " in call)
    assert "warmstart-api:0.1.0 warmstart-worker:0.1.0 " in loaded
