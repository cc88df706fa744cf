"""What the Dockerfile's arguments mean, without building it."""

import re
import subprocess

import pytest

from stack.site import REPOSITORY


@pytest.mark.parametrize(("value", "lock"), [("", "worker.lock"), ("0", "worker.lock"), ("1", "worker-predictor.lock")])
def test_only_1_adds_what_an_estimator_needs(value: str, lock: str) -> None:
    """WITH_PREDICTOR=0 doesn't."""
    dockerfile = REPOSITORY / "services" / "worker" / "Dockerfile"
    [name] = re.findall(r"-r (\S*worker\$.*\.lock\S*)", dockerfile.read_text())
    said = subprocess.run(["sh", "-c", f"echo {name}"], env={"WITH_PREDICTOR": value}, capture_output=True, check=True)
    assert said.stdout.decode().strip() == lock
