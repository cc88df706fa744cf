"""gunicorn.conf.py is one call; what that call can't serve is refused with a sentence."""

from pathlib import Path

import pytest

from tests.everyday.conftest import Run

CONF = Path(__file__).parent / "gunicorn.conf.py"


@pytest.mark.parametrize("processes", [1, 3])
def test_one_call_is_the_whole_configuration(run: Run, processes: int) -> None:
    """With it alone, the service serves with one process and with three, and drains."""
    service = run(WEB_CONCURRENCY=processes).wait_ready()
    assert len(service.get("/startupz").json()["processes"]) == processes
    service.terminate()
    service.wait_for("/readyz", 503)
    assert service.wait_exit() == 0


def test_a_preloaded_application_is_refused(run: Run, tmp_path: Path) -> None:
    """`preload_app` would open pools and models before the fork: the start ends, and one line names the setting."""
    conf = tmp_path / "gunicorn.conf.py"
    conf.write_text(CONF.read_text() + "preload_app = True\n")
    service = run(conf=conf)
    assert service.wait_exit() != 0
    assert "preload_app" in service.log


def test_a_hook_of_the_services_own_works(run: Run, tmp_path: Path) -> None:
    """What stands below the call is gunicorn's own: here a `when_ready` that says so."""
    conf = tmp_path / "gunicorn.conf.py"
    conf.write_text(CONF.read_text() + 'def when_ready(server):\n    server.log.info("the listener is open")\n')
    run(conf=conf).wait_ready().wait_for_log("the listener is open")


def test_hooks_of_the_service_take_none_of_ours_away(run: Run, tmp_path: Path) -> None:
    """With a `pre_fork` and a `child_exit` of its own the service keeps its board, and halts with status 3."""
    conf = tmp_path / "gunicorn.conf.py"
    own = 'def {0}(server, worker):\n    server.log.info("own {0}")\n'
    conf.write_text(CONF.read_text() + own.format("pre_fork") + own.format("child_exit"))
    service = run(conf=conf, LOAD_ERROR="weights", WEB_CONCURRENCY=3)
    assert service.wait_exit() == 3
    assert "own pre_fork" in service.log
    assert len(service.error_lines("weights")) == 1
