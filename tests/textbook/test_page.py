"""docs/textbook.md names only what is there."""

import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from drills.matrix import ROWS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "textbook.md").read_text()
FOLDERS = ("deploy", "docs", "drills", "examples", "libs", "loadtest", "services", "stack", "tests")


def test_the_tests_that_it_names_exist() -> None:
    """`path::test_name` is a function of that file."""
    named = re.findall(r"`([\w/.]+\.py)::(test_\w+)`", PAGE)
    assert named
    assert [
        f"{path}::{test}"
        for path, test in named
        if not re.search(rf"^(?:async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE)
    ] == []


def test_the_drills_that_it_names_exist() -> None:
    """By the name that `make drills DRILLS=…` takes."""
    named = set(re.findall(r"drill `(\w+)`", PAGE))
    assert named
    assert named - {row.name for row in ROWS} == set()


def test_the_files_that_it_names_exist() -> None:
    """Any path in code quotes, a folder too."""
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w/.-]+?)(?:::\w+)?`", PAGE)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_settings_that_it_names_exist() -> None:
    """Names in capitals are rows of docs/settings.md, but for the variable of `make drills`."""
    known = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=\w+)?`", PAGE))
    assert named
    assert named - known == set()


def test_every_row_is_shown_by_something() -> None:
    """The last column of each table names a test or a drill."""
    rows = [
        line
        for line in PAGE.splitlines()
        if line.startswith("| ") and not line.startswith(("| they", "| take", "| mist"))
    ]
    assert [row for row in rows if not re.search(r"(::test_\w+|drill `\w+)`[^|]*\|$", row)] == []


def test_nothing_uses_on_event() -> None:
    """No module registers functions that would never be called beside a lifespan."""
    found = subprocess.run(
        ["git", "grep", "-lE", r"\.on_event\(|add_event_handler", "--", "*.py", ":!tests/textbook"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (1, "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_beside_a_lifespan_on_event_is_never_called() -> None:
    """The lifespan runs, and the functions of `on_event` don't."""
    called: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        called.append("lifespan")
        yield

    app = FastAPI(lifespan=lifespan)

    @app.on_event("startup")
    async def startup() -> None:
        called.append("on_event")

    with TestClient(app):
        assert called == ["lifespan"]
