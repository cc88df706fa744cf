"""When make installs again what is there."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from stack.site import REPOSITORY

INHERITED = {name: value for name, value in os.environ.items() if "MAKE" not in name}  # `make test` runs this, too
OWN = f"""#!/bin/sh
PYTHONPATH="$PWD/libs/warmstart/src" exec {sys.executable} "$@"
"""
REFUSES_VARIABLES = """#!/bin/sh
[ -z "$PYTHONHOME$PYTHONPATH" ] || exit 1
"""
ALONE = f"""#!/bin/bash
exec 9> .install.lock
flock -n 9 && {sys.executable} -c 'import asyncio, http.client' && mkdir -p .venv && touch ".venv/.installed-$1"
"""
OF_THE_FORMER = f"""#!/bin/sh
exec {sys.executable} "$@"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder in which everything is older than what was installed, with a space in its name."""
    folder = tmp_path / "a clone"
    (folder / "requirements").mkdir(parents=True)
    for name in ("Makefile", "requirements/install.sh", "requirements/run.lock", "requirements/tools.lock"):
        shutil.copy(REPOSITORY / name, folder / name)
        os.utime(folder / name, (0, 0))
    sources = folder / "libs" / "warmstart" / "src" / "warmstart"
    sources.mkdir(parents=True)
    (sources / "__init__.py").touch()
    return folder


def installs(clone: Path, target: str = "install", **environment: str) -> bool:
    """Whether `make install`, or another target, would install anything."""
    argv, env = ("make", "--dry-run", target), {**INHERITED, **environment}
    done = subprocess.run(argv, cwd=clone, env=env, check=True, capture_output=True, text=True)
    return "install.sh run" in done.stdout or "pip install" in done.stdout


@pytest.mark.parametrize(
    ("python", "expected"), [(OWN, False), (OF_THE_FORMER, True), ("#!/bin/sh\nexit 127\n", True), ("", True)]
)
def test_an_environment_that_cannot_serve_is_made_again(clone: Path, python: str, expected: bool) -> None:
    """Its Python is gone or of another version, or it leads to the folder that this one is a copy of."""
    program = clone / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    (clone / ".venv" / ".installed-run").touch()
    if python:
        program.write_text(python)
        program.chmod(0o755)
    assert installs(clone) == expected


def test_a_linked_environment_is_left_alone(clone: Path) -> None:
    """Who links to another folder's environment means it; to install would change that one."""
    there = clone.parent / "there"
    there.mkdir()
    (there / ".installed-run").touch()
    (clone / ".venv").symlink_to(there)
    assert not installs(clone)


@pytest.mark.parametrize("name", ["PYTHONHOME", "PYTHONPATH"])
def test_variables_of_python_decide_nothing(clone: Path, name: str) -> None:
    """They are meant for other programs: no recipe gets them, and what is there is not made again for them."""
    for folder, stamp in ((".venv", ".installed-run"), (".venv-tools", ".installed")):
        program = clone / folder / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.write_text(REFUSES_VARIABLES + OWN)
        program.chmod(0o755)
        (clone / folder / stamp).touch()
    assert not installs(clone, **{name: "/another/clone"})
    assert not installs(clone, "wheel", **{name: "/another/clone"})


def test_no_script_with_the_folder_s_name_in_it_is_run() -> None:
    """Its first line names the Python of the folder as it was called then, also in a copy; a module's doesn't."""
    texts = [(REPOSITORY / "Makefile").read_text()]
    texts += [file.read_text() for file in (REPOSITORY / "requirements").glob("*.sh")]
    run = {name for text in texts for name in re.findall(r"\.venv(?:-\w+)?/bin/([\w-]+)", text)}
    assert run == {"python", "uv", "zizmor"}  # the last two are no scripts


def test_other_pythons_test_this_folder(clone: Path) -> None:
    """Also where the folder is a copy, whose environment of that Python led to the sources of the former."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copy(REPOSITORY / "requirements" / "test.sh", clone / "requirements")
    program = clone / f".venv-{version}" / "bin" / "python"
    venv.create(program.parents[1])
    [packages] = (program.parents[1] / "lib").glob("*/site-packages")
    (packages / "pip.py").touch()
    (packages / "warmstart.pth").write_text("/the/former/libs/warmstart/src\n")
    for copied in (clone / "requirements" / "test.lock", program.parents[1] / ".installed"):
        copied.touch()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**INHERITED, "PYTHONS": version, "PATH": path}
    subprocess.run(("bash", "requirements/test.sh", "install"), cwd=clone, env=env, check=True)
    ask = "import warmstart; print(warmstart.__file__)"
    said = subprocess.run((program, "-c", ask), check=True, capture_output=True, text=True).stdout.strip()
    assert said == f"{clone}/libs/warmstart/src/warmstart/__init__.py"


def test_installations_run_one_after_the_other(clone: Path) -> None:
    """With `MAKEFLAGS=-j4` they would find that another one is under way."""
    (clone / "requirements" / "install.sh").write_text(ALONE)
    for name in ("dev.lock", "torch.txt", "int8.lock", "predictor.lock"):
        (clone / "requirements" / name).touch()
    targets = ("install-dev", "install-int8", "install-predictor")
    subprocess.run(("make", *targets), cwd=clone, env={**INHERITED, "MAKEFLAGS": "-j4"}, check=True, timeout=60)
