"""What `make clean` removes, and when it, or `make down`, leaves a system alone that only a whole .venv could stop."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.daemon import MARK
from stack.site import REPOSITORY

INHERITED = {name: value for name, value in os.environ.items() if "MAKE" not in name}  # `make test` runs this, too
GONE = "#!/bin/sh\nexit 127\n"
ANSWERS = """#!/bin/sh
case "$*" in *status) echo 'stack status: unset STACK'; exit %d ;; esac
"""


def dry(*arguments: str, **environment: str) -> str:
    """What `make clean` would run."""
    argv = ("make", "--dry-run", "clean", *arguments)
    return subprocess.run(
        argv, cwd=REPOSITORY, env={**INHERITED, **environment}, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "deletes"),
    [
        ([], {}, False),
        (["DATA=1"], {}, True),
        (["DATA=0"], {}, False),
        ([], {"DATA": "/mnt/datasets"}, False),
        ([], {"DATA": "1"}, False),
    ],
)
def test_only_the_command_line_asks_for_documents(
    arguments: list[str], environment: dict[str, str], deletes: bool
) -> None:
    """A shell's DATA was meant for another program, and DATA=0 is no."""
    would = dry(*arguments, **environment)
    assert ("stack discard" in would, "rm -rf .warmstart .env" in would) == (deletes, deletes)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile and some documents."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    (tmp_path / ".warmstart" / "run").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def server(clone: Path) -> Iterator[None]:
    """A process that the stack of this folder started."""
    mark = {MARK: f"{clone}/.warmstart/run/postgres.json"}
    with subprocess.Popen(["/bin/sleep", "60"], env=mark) as process:
        yield
        process.kill()


def make(clone: Path, target: str, python: str, *arguments: str) -> tuple[int, str, bool]:
    """Exit code, words, and whether .venv is there, when its Python is this program."""
    file = clone / ".venv" / "bin" / "python"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(python)
    file.chmod(0o755)
    argv = ("make", target, *arguments)
    done = subprocess.run(argv, cwd=clone, env=INHERITED, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr, file.exists()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("python", [GONE, *(ANSWERS % code for code in (0, 1, 3, 4))])
def test_a_system_that_runs_keeps_its_programs(clone: Path, python: str) -> None:
    """Also when its state can't be asked: the Python below .venv or a pid file is gone, or STACK names another kind."""
    code, said, there = make(clone, "clean", python)
    assert (code, there) == (2, True)
    assert "is running" in said


@pytest.mark.parametrize("python", [GONE, *(ANSWERS % code for code in (1, 3))])
def test_a_venv_that_nothing_runs_from_is_removed(clone: Path, python: str) -> None:
    """A broken one, too, and where Docker doesn't answer: there is no other way to be rid of it."""
    code, _, there = make(clone, "clean", python)
    assert (code, there) == (0, False)


@pytest.mark.parametrize(("engine", "stays"), [("exit 0", True), ("exit 1", False)])
def test_containers_that_are_not_told_of_count_as_running(
    clone: Path, monkeypatch: pytest.MonkeyPatch, engine: str, stays: bool
) -> None:
    """Under a new COMPOSE_PROJECT_NAME the stack's state is an error; without an engine there are no containers."""
    docker = clone / "docker"
    docker.write_text(f"#!/bin/sh\n{engine}\n")
    docker.chmod(0o755)
    monkeypatch.setitem(INHERITED, "PATH", f"{clone}{os.pathsep}{os.environ['PATH']}")
    (clone / ".warmstart" / "kind").write_text("compose\n")
    code, said, there = make(clone, "clean", ANSWERS % 1)
    assert (code, there, "is running" in said) == (2 if stays else 0, stays, stays)


@pytest.mark.usefixtures("server")
def test_down_says_what_it_needs_to_stop_a_system(clone: Path) -> None:
    """A system whose .venv lost its Python isn't "nothing to stop"."""
    code, said, _ = make(clone, "down", GONE)
    assert code == 2
    assert "make install first" in said


def test_down_without_a_system_is_done(clone: Path) -> None:
    """A folder in which nothing was installed has nothing to stop."""
    code, said, _ = make(clone, "down", GONE)
    assert (code, said) == (0, "Nothing to stop: not installed.\n")


@pytest.mark.parametrize("kind", ["compose", "kubernetes"])
def test_without_a_whole_venv_containers_are_not_called_stopped(clone: Path, kind: str) -> None:
    """No process of this machine tells whether they run, and the passwords of their documents stay."""
    (clone / ".warmstart" / "kind").write_text(f"{kind}\n")
    (clone / ".env").touch()
    code, said, _ = make(clone, "down", GONE)
    assert code == 2
    assert f"make up chose {kind}, and .venv can't stop that: make install first" in said
    code, said, there = make(clone, "clean", GONE, "DATA=1")
    assert (code, there, (clone / ".env").exists()) == (2, True, True)
    assert "make install first" in said


def test_without_a_whole_venv_documents_on_another_disk_keep_their_passwords(clone: Path) -> None:
    """To remove the link would leave them there, and nobody could open them."""
    big = clone / "big"
    big.mkdir()
    (clone / ".env").touch()
    (clone / ".warmstart" / "data").symlink_to(big)
    code, said, there = make(clone, "clean", GONE, "DATA=1")
    assert (code, there, (clone / ".env").exists()) == (2, True, True)
    assert "make install first" in said


def test_without_a_whole_venv_documents_of_this_folder_are_deleted(clone: Path) -> None:
    """Nothing else is needed for that."""
    (clone / ".warmstart" / "kind").write_text("embedded\n")
    (clone / ".env").touch()
    code, _, there = make(clone, "clean", GONE, "DATA=1")
    assert (code, there) == (0, False)
    assert not (clone / ".warmstart").exists()
    assert not (clone / ".env").exists()
