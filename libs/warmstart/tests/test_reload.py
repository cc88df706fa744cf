"""SIGHUP with something that can't be used changes nothing: the old processes serve on, and the next SIGHUP works."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from libs.warmstart.tests.conftest import CONF
from stack import until
from tests.harness import Gunicorn
from tests.harness.sample import World


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the sample's configuration, to be damaged."""
    copy = tmp_path / "gunicorn.conf.py"
    copy.write_text(CONF.read_text().replace("Path(__file__).parent", repr(str(CONF.parent))))
    return copy


def appended(text: str) -> Callable[[Path, Path], None]:
    """Damage that stands at the configuration's end."""

    def damage(conf: Path, token: Path) -> None:
        conf.write_text(f"{conf.read_text()}\n{text}\n")

    return damage


BAD: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "a secret file is missing": (lambda conf, token: token.unlink(), "bad setting TOKEN_FILE: No such file"),
    "a secret file is empty": (lambda conf, token: token.write_text(""), "bad setting TOKEN_FILE: empty"),
    "the configuration is missing": (lambda conf, token: conf.unlink(), "doesn't exist"),
    "an import fails": (appended("import no_such_module"), "No module named 'no_such_module'"),
    "a bad option": (appended("workers = -1"), "Value must be positive: -1"),
    "no such worker class": (appended("worker_class = 'no.such.Worker'"), "no.such.Worker"),
    "a broken promise": (appended("preload_app = True"), "preload_app: no probe could be answered"),
    "another address": (appended("bind = '127.0.0.1:1'"), "addresses change with a restart only"),
    "another exit": (appended("raise SystemExit(7)"), "SystemExit(7)"),
}


@pytest.mark.parametrize("case", [case for case in BAD if case != "a secret file is empty"])
def test_a_bad_reload_changes_nothing(world: World, conf: Path, case: str) -> None:
    """One error line names the mistake; the same process serves on; after the correction SIGHUP replaces it."""
    damage, words = BAD[case]
    token = world.folder / "token"
    token.write_text("t0ken")
    good = conf.read_text()
    with Gunicorn(conf, world.folder, WORLD=world.folder, TOKEN_FILE=token, DRAIN_SECONDS=0.1) as service:
        before = service.wait_ready().workers()
        damage(conf, token)
        service.process.send_signal(signal.SIGHUP)
        service.wait_for_log("not reloaded: ")
        assert len(service.error_lines("not reloaded", words, "serve on")) == 1, service.log[-2000:]
        assert service.workers() == before
        assert service.get("/readyz").status == 200
        conf.write_text(good)
        token.write_text("t0ken")
        service.process.send_signal(signal.SIGHUP)
        until(
            lambda: len(now := service.workers()) == 1 and now != before,
            20,
            "a new process",
            lambda: service.log[-1500:],
        )
        service.wait_ready()
        service.terminate()
        assert service.wait_exit() == 0


def test_a_new_generation_that_cannot_start_is_waited_for(world: World, conf: Path) -> None:
    """After SIGHUP with an application that can't be loaded the old process serves on, until a good one is there."""
    good = conf.read_text()
    with Gunicorn(conf, world.folder, WORLD=world.folder, DRAIN_SECONDS=0.1) as service:
        [before] = service.wait_ready().workers()
        conf.write_text(f"{good}\nwsgi_app = 'no_such_module:app'\n")
        service.process.send_signal(signal.SIGHUP)
        until(
            lambda: len(service.error_lines("no_such_module")) > 1, 20, "a second attempt", lambda: service.log[-1500:]
        )
        assert before in service.workers()
        assert service.get("/work").json() == {"pid": before}
        conf.write_text(good)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: before not in service.workers() != [], 30, "a new process", lambda: service.log[-1500:])
        service.wait_ready()
        assert service.process.poll() is None


def test_a_stop_does_not_wait_for_a_reload(world: World, conf: Path) -> None:
    """SIGTERM soon after SIGHUP, while the new process warms up; gunicorn looked at no signal for a minute."""
    with Gunicorn(conf, world.folder, WORLD=world.folder, DRAIN_SECONDS=0.1, REQUEST_TIMEOUT=60) as service:
        service.wait_ready()
        world.model(60)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: service.log.count("opened database") == 2, 20, "a new process", lambda: service.log[-1500:])
        service.terminate()
        assert service.wait_exit(20) == 0


def test_a_process_that_cannot_be_made_is_made_later(world: World, conf: Path) -> None:
    """While the system can't start another process, the master says so, and lives."""
    full = world.folder / "full"
    conf.write_text(f"""{conf.read_text()}
def pre_fork(server, worker):
    if os.path.exists({str(full)!r}):
        raise BlockingIOError(11, "Resource temporarily unavailable")
""")
    with Gunicorn(conf, world.folder, WORLD=world.folder) as service:
        [before] = service.wait_ready().workers()
        full.touch()
        os.kill(before, signal.SIGKILL)
        until(lambda: len(service.error_lines("no new process")) > 1, 20, "two attempts", lambda: service.log[-1500:])
        full.unlink()
        service.wait_ready()
        assert service.get("/startupz").json()["processes"] == [{"pid": service.workers()[0], "phase": "ready"}]


@pytest.mark.parametrize("case", ["a secret file is missing", "a secret file is empty"])
def test_at_first_start_it_ends_with_status_3(world: World, conf: Path, case: str) -> None:
    """Before the first readiness, the same failure ends the start."""
    token = world.folder / "token"
    token.write_text("t0ken")
    damage, words = BAD[case]
    damage(conf, token)
    with Gunicorn(conf, world.folder, WORLD=world.folder, TOKEN_FILE=token) as service:
        assert service.wait_exit() == 3
        assert words in service.log
