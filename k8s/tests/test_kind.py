"""`make kind`: the images that it builds are those that it loads and the manifests name, whatever the shell has set."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from k8s.tests.rendering import K8S

# What the script calls, in its place: each writes down how it was called, and fails as a call named in FAILS would.
RECORD = """#!/bin/sh
call="$(basename "$0") target=${WORKER_TARGET-unset} $*"
echo "$call" >> "$RECORD"
case $call in *"${FAILS:-nothing}"*) exit 1 ;; esac
"""
LOAD = "kind target=torch load docker-image --name warmstart"
STORES = ["pgvector/pgvector:pg17", "valkey/valkey:8"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the script, and nothing real that it calls."""
    shutil.copytree(K8S, tmp_path / "k8s", ignore=lambda _, names: [each for each in names if each != "kind.sh"])
    commands = [tmp_path / "bin" / each for each in ("docker", "kind", "kubectl", "make")]
    for command in (*commands, tmp_path / ".venv" / "bin" / "python"):
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(RECORD)
        command.chmod(0o755)
    return tmp_path


def calls(place: Path, fails: str = "") -> list[str]:
    """What the script calls, with WORKER_TARGET=torch in the shell, while the calls that `fails` is a part of fail."""
    environment = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "RECORD": str(place / "record"),
        "WORKER_TARGET": "torch",
        "FAILS": fails,
    }
    subprocess.run([place / "k8s" / "kind.sh"], env=environment, check=True, capture_output=True, timeout=60)
    return (place / "record").read_text().splitlines()


def test_it_needs_no_torch(place: Path) -> None:
    """With WORKER_TARGET=torch in the shell too, the default target is built, which has no torch, and loaded."""
    found = calls(place)
    assert "python target= -m stack images" in found
    assert f"{LOAD} warmstart-api:0.1.0 warmstart-worker:0.1.0" in found


def test_images_of_stores_that_are_here_are_loaded(place: Path) -> None:
    """They may be here only."""
    assert [f"{LOAD} {image}" for image in STORES] == [each for each in calls(place) if each.startswith(LOAD)][1:]


@pytest.mark.parametrize("fails", ["image inspect", "docker-image --name warmstart pgvector"])
def test_the_node_pulls_the_images_of_stores_that_it_does_not_get(place: Path, fails: str) -> None:
    """Those that aren't here, and those that kind can't load, as of several platforms under Docker 29."""
    found = calls(place, fails)
    assert any(each.startswith("make ") and each.endswith(" k8s-up") for each in found)
    assert not any(" pull " in each for each in found)
