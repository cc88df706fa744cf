"""How the service starts: slow loads, background work, errors."""

from pathlib import Path

import pytest

from stack.waiting import until
from tests.everyday.conftest import Run

SERVERS = ["uvicorn", "gunicorn"]


def test_a_slow_load_passes_with_the_defaults(run: Run, tmp_path: Path) -> None:
    """A model that takes 12 s to load is loaded once, and the service is ready; nothing has to be set for it."""
    run(LOAD_SECONDS=12).wait_ready(timeout=40)
    assert (tmp_path / "loads").read_text() == "1\n"


@pytest.mark.parametrize("server", SERVERS)
def test_a_load_that_was_cut_is_never_started_beside_itself(run: Run, tmp_path: Path, server: str) -> None:
    """With a limit of 0.5 s for a load of 2 s one load runs at a time, and the error names the limit's parameter."""
    service = run(server, LOAD_SECONDS=2, LOAD_TIMEOUT=0.5, STARTUP_TIMEOUT=3)
    assert service.wait_exit() == 3
    assert set((tmp_path / "loads").read_text().split()) == {"1"}
    assert "cut after 0.5 s, its timeout= in Resource('model')" in service.log


@pytest.mark.parametrize("server", SERVERS)
def test_background_work_begins_when_the_service_is_ready(run: Run, tmp_path: Path, server: str) -> None:
    """A periodic task that uses model and database runs under each server, and a task that may end may end."""
    service = run(server, LOAD_SECONDS=1).wait_ready()
    until(lambda: service.get("/admin/ticks").json() > 2, 10, "three ticks")
    until((tmp_path / "once").exists, 10, "the task that ends")
    assert service.get("/readyz").status == 200


@pytest.mark.parametrize("server", SERVERS)
def test_a_programming_error_is_shown_once_and_not_tried_again(run: Run, tmp_path: Path, server: str) -> None:
    """A KeyError in `open` ends the start at its first attempt, with type and one traceback."""
    service = run(server, LOAD_ERROR="weights", STARTUP_TIMEOUT=20)
    assert service.wait_exit(timeout=15) == 3
    assert (tmp_path / "loads").read_text() == "1\n"
    assert "KeyError: 'weights'" in service.log
    assert service.log.count("in open_model") == 1
