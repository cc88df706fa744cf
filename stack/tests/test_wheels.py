"""The wheel of torch for builds of the worker's target `torch`: docker is a stand-in, pip is real."""

import os
import re
import zipfile
from pathlib import Path

import pytest

from stack import ComposeStack, free_ports
from stack.site import REPOSITORY

DOCKER = """#!/bin/sh
case "$*" in
"image inspect"*) exit {there} ;;
"build --tag warmstart-wheels "*) for last; do :; done; ls "$last" >> {folder}/built ;;
*" build api worker") echo "with ${{WHEELS_IMAGE:-none}}" >> {folder}/built; echo $WORKER_TARGET > {folder}/target ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks, and nowhere else; the target is the one with torch."""
    monkeypatch.setenv("WORKER_TARGET", "torch")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("WHEELS_IMAGE", raising=False)
    return tmp_path


def put_docker(folder: Path, *, has_wheels: bool) -> None:
    """A docker that notes what it builds."""
    script = folder / "docker"
    script.write_text(DOCKER.format(there=int(not has_wheels), folder=folder))
    script.chmod(0o755)


def put_wheel(folder: Path) -> str:
    """An empty one of the version that the images want; returns its name."""
    found = re.search(
        r"^torch==(\S+) ; sys_platform == .linux", (REPOSITORY / "requirements/torch.txt").read_text(), re.MULTILINE
    )
    assert found
    name = f"torch-{found[1]}-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        info = f"torch-{found[1]}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {found[1]}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name


def build(folder: Path) -> list[str]:
    """What docker built for both services."""
    ComposeStack(folder / "stack", free_ports()).project.make_images(["api", "worker"])
    return (folder / "built").read_text().split("\n")[:-1]


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="elsewhere PyPI has the CPU build")
def test_a_wheel_that_pip_finds_is_given_to_the_build(folder: Path) -> None:
    """As an image of its own: where only this host's pip finds torch's CPU build, the worker's image is built."""
    put_docker(folder, has_wheels=False)
    wheel = put_wheel(folder)
    assert build(folder) == ["Dockerfile", wheel, "with warmstart-wheels"]


@pytest.mark.parametrize("named", [None, ""])
def test_an_image_of_wheels_is_made_once(folder: Path, named: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there is taken, where WHEELS_IMAGE is unset or empty."""
    if named is not None:
        monkeypatch.setenv("WHEELS_IMAGE", named)
    put_docker(folder, has_wheels=True)
    assert build(folder) == ["with warmstart-wheels"]


def test_without_a_wheel_the_build_asks_an_index(folder: Path) -> None:
    """On most hosts pip looks where the CPU build isn't; the Dockerfile knows TORCH_INDEX."""
    put_docker(folder, has_wheels=False)
    assert build(folder) == ["with none"]


def test_the_users_choice_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WHEELS_IMAGE names another image."""
    put_docker(folder, has_wheels=True)
    monkeypatch.setenv("WHEELS_IMAGE", "mine")
    assert build(folder) == ["with mine"]


def test_the_default_target_needs_no_torch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its build looks for no wheel of torch, although pip would find one."""
    monkeypatch.delenv("WORKER_TARGET")
    put_docker(folder, has_wheels=False)
    put_wheel(folder)
    assert build(folder) == ["with none"]


@pytest.mark.parametrize(
    ("named", "target"),
    [
        ({}, ""),
        ({"EMBEDDING_MODEL": "all-MiniLM-L6-v2"}, ""),
        ({"EMBEDDING_MODEL": "BAAI/bge-small-en-v1.5"}, "model"),
        ({"EMBEDDING_MODEL": "BAAI/bge-small-en-v1.5", "WORKER_TARGET": "torch"}, "torch"),
    ],
)
def test_another_model_has_a_target_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], target: str
) -> None:
    """The image with the default model could not serve it; a target that is named is kept."""
    monkeypatch.delenv("WORKER_TARGET")
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    put_docker(folder, has_wheels=False)
    build(folder)
    assert (folder / "target").read_text().strip() == target


@pytest.mark.parametrize(
    ("shell", "lines", "target"),
    [
        ({}, "EMBEDDING_MODEL='BAAI/bge-small-en-v1.5'", "model"),
        ({}, "EMBEDDING_MODEL=BAAI/bge-small-en-v1.5\nWORKER_TARGET=torch", "torch"),
        ({"EMBEDDING_MODEL": "all-MiniLM-L6-v2"}, "EMBEDDING_MODEL=BAAI/bge-small-en-v1.5", ""),
    ],
)
def test_another_model_may_stand_in_env(
    folder: Path, monkeypatch: pytest.MonkeyPatch, shell: dict[str, str], lines: str, target: str
) -> None:
    """Compose reads `.env` too, and gives the worker the model that it names; the shell's variables come first."""
    monkeypatch.delenv("WORKER_TARGET")
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    (folder / ".env").write_text(lines)
    monkeypatch.setattr("stack.project.REPOSITORY", folder)
    put_docker(folder, has_wheels=False)
    build(folder)
    assert (folder / "target").read_text().strip() == target
