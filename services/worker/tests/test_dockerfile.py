"""What the Dockerfile's arguments mean, without building it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stack.site import REPOSITORY

DOCKERFILE = (REPOSITORY / "services" / "worker" / "Dockerfile").read_text()


@pytest.mark.parametrize(("value", "lock"), [("", "worker.lock"), ("0", "worker.lock"), ("1", "worker-predictor.lock")])
def test_only_1_adds_what_an_estimator_needs(value: str, lock: str) -> None:
    """WITH_PREDICTOR=0 doesn't."""
    [name] = re.findall(r"-r (\S*worker\$.*\.lock\S*)", DOCKERFILE)
    said = subprocess.run(["sh", "-c", f"echo {name}"], env={"WITH_PREDICTOR": value}, capture_output=True, check=True)
    assert said.stdout.decode().strip() == lock


@pytest.mark.parametrize(
    ("plugin", "others"),
    [
        ("libopenvino_intel_cpu_plugin.so", ["libopenvino_intel_gpu_plugin.so", "cache.json"]),
        ("libopenvino_arm_cpu_plugin.so", []),
    ],
    ids=["amd64", "arm64"],
)
def test_of_openvino_the_cpu_and_its_own_format_stay(plugin: str, others: list[str], tmp_path: Path) -> None:
    """On arm64 too, whose wheel has no plugin for GPUs, and none of that plugin's files."""
    for each in ("include", "tools", "libs"):
        (tmp_path / "openvino" / each).mkdir(parents=True)
    libs, kept = tmp_path / "openvino" / "libs", {plugin, "libopenvino.so.2641", "libopenvino_ir_frontend.so.2641"}
    for name in (*kept, *others, "libopenvino_auto_plugin.so", "libopenvino_onnx_frontend.so.2641"):
        (libs / name).touch()
    [script] = re.findall(r"&& (rm -r openvino/.*?) \\\n +# Of tokenizers", DOCKERFILE, re.DOTALL)
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True, timeout=30)
    assert [each.name for each in (tmp_path / "openvino").iterdir()] == ["libs"]
    assert {each.name for each in libs.iterdir()} == kept


def test_the_export_has_what_it_imports(tmp_path: Path) -> None:
    """Of the worker only some files are copied for it, so that others' changes leave the artifact in the cache."""
    [stage] = re.findall(r"^FROM venv AS exporter$(.*?)^FROM", DOCKERFILE, re.DOTALL | re.MULTILINE)
    copied = re.findall(r"services/worker/src/(worker/[\w.]+)(?= )", stage)
    worker = REPOSITORY / "services" / "worker" / "src"
    (tmp_path / "worker").mkdir()
    for each in copied:
        (tmp_path / each).symlink_to(worker / each)
    path = (str(tmp_path), *(str(REPOSITORY / "libs" / name / "src") for name in ("warmstart", "contract")))
    ran = subprocess.run(
        [sys.executable, "-c", "import worker.export; print(worker.export.__file__)"],
        env={"PYTHONPATH": ":".join(path)},
        capture_output=True,
        text=True,
        check=False,  # its errors are shown below
        timeout=60,
    )
    assert ran.stdout.strip() == str(tmp_path / "worker" / "export.py"), ran.stderr
