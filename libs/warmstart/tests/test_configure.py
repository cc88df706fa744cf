"""A gunicorn.conf.py is one call: what the service adds below it works, and what would break the pod is refused."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from gunicorn.config import Config

from libs.warmstart.tests.conftest import CONF
from stack import until
from tests.harness import Gunicorn
from tests.harness.sample import World
from warmstart import ServiceSettings
from warmstart.pod.ignored import INSTEAD, ignored
from warmstart.pod.server import serving
from warmstart.pod.worker import RESPAWN_PAUSE

# The arguments that gunicorn gives to each hook.
HOOKS = {
    "on_starting": 1,
    "when_ready": 1,
    "nworkers_changed": 3,
    "pre_fork": 2,
    "post_fork": 2,
    "post_worker_init": 1,
    "child_exit": 2,
    "worker_exit": 2,
    "on_reload": 1,
    "on_exit": 1,
}


@pytest.fixture
def conf(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy of the sample's configuration with lines below its call."""

    def make(lines: str) -> Path:
        copy = tmp_path / "gunicorn.conf.py"
        text = CONF.read_text().replace("Path(__file__).parent", repr(str(CONF.parent)))
        copy.write_text(f"{text}\n{lines}\n")
        return copy

    return make


def hook(name: str, arguments: int) -> str:
    """A hook that leaves its name in the world."""
    given = ", ".join(f"argument_{number}" for number in range(arguments))
    return (
        f"def {name}({given}):\n    with open(os.environ['WORLD'] + '/hooks', 'a') as file: print({name!r}, file=file)"
    )


def test_every_hook_is_the_services_own(world: World, conf: Callable[[str], Path]) -> None:
    """All of gunicorn's hooks are called, and a pod whose file defines them all starts, is replaced and drains."""
    lines = "\n".join(hook(name, arguments) for name, arguments in HOOKS.items())
    with Gunicorn(conf(lines), world.folder, WORLD=world.folder, DRAIN_SECONDS=0.1) as service:
        [first] = service.wait_ready().workers()
        os.kill(first, signal.SIGKILL)
        until(lambda: service.workers() not in ([], [first]), 20, "another process", lambda: service.log[-1500:])
        service.wait_ready()
        assert len(service.get("/startupz").json()["processes"]) == 1
        [second] = service.workers()
        service.process.send_signal(signal.SIGHUP)
        # A signal of the master's stop would end the second one before its last hook.
        until(lambda: second not in service.workers(), 20, "an end of the second", lambda: service.log[-1500:])
        service.wait_ready().terminate()
        assert service.wait_exit() == 0
    called = (world.folder / "hooks").read_text().split()
    assert set(called) == set(HOOKS)
    assert (called.count("pre_fork"), called.count("child_exit"), called.count("worker_exit")) == (3, 3, 2)


def test_a_start_that_fails_halts_whatever_child_exit_does(world: World, conf: Callable[[str], Path]) -> None:
    """The status is 3, although the service has a `child_exit` of its own."""
    world.model("altered")
    with Gunicorn(conf(hook("child_exit", 2)), world.folder, WORLD=world.folder, STARTUP_TIMEOUT=1) as service:
        assert service.wait_exit() == 3
    assert (world.folder / "hooks").read_text().split() == ["child_exit"]


def test_values_below_the_call_are_the_services_own(world: World, conf: Callable[[str], Path]) -> None:
    """As gunicorn has it: the last assignment in the file counts."""
    with Gunicorn(conf("workers = 2"), world.folder, WORLD=world.folder) as service:
        assert len(service.wait_ready().workers()) == 2


def test_a_warning_of_a_library_is_a_line_of_the_log(world: World, conf: Callable[[str], Path]) -> None:
    """With LOG_FORMAT=json each line is an object, that of Python's `warnings` too; other lines no collector reads."""
    lines = "import warnings\ndef post_fork(server, worker): warnings.warn('an overflow', RuntimeWarning)"
    with Gunicorn(conf(lines), world.folder, WORLD=world.folder, LOG_FORMAT="json") as service:
        said = [json.loads(line) for line in service.wait_ready().log.splitlines()]
    warned = [each for each in said if each["logger"] == "py.warnings"]
    assert [each["level"] for each in warned] == ["warning"]
    assert "RuntimeWarning: an overflow" in warned[0]["message"]


REFUSED = {
    "preload_app = True": "preload_app: no probe could be answered",
    "worker_class = 'sync'": "worker_class = sync: it must be warmstart.pod.worker.Worker",
    "timeout = 0": "timeout = 0: a process whose event loop stands still",
    "graceful_timeout = 20": "graceful_timeout = 20: gunicorn would kill processes that still drain",
    "reuse_port = True": "reuse_port: a process that is not warm yet",
    f"user = {os.geteuid() + 1}": "user: the processes of another user can't signal the master",
    "reload = True": "reload: it has no effect on an ASGI application",
    "forwarded_allow_ips = '*'": "forwarded_allow_ips: it has no effect here; FORWARDED_ALLOW_IPS names the proxies",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_breaks_the_pod_is_refused(world: World, conf: Callable[[str], Path], line: str) -> None:
    """A sentence names the option, and the status is 3, before anything listens."""
    with Gunicorn(conf(line), world.folder, WORLD=world.folder) as service:
        assert service.wait_exit() == 3
        assert f"bad setting {REFUSED[line]}" in service.log
        assert "Listening at" not in service.log


IGNORED = {
    "forwarded_allow_ips": "10.0.0.0/8",
    "secure_scheme_headers": {},
    "proxy_protocol": True,
    "proxy_allow_ips": "*",
    "limit_request_line": 0,
    "limit_request_fields": 50,
    "limit_request_field_size": 100,
    "worker_connections": 10,
    "threads": 4,
    "accesslog": "-",
    "access_log_format": "%(h)s",
    "errorlog": "/nowhere",
    "logconfig": "/nowhere",
    "logconfig_json": "/nowhere",
    "pre_request": lambda worker, request: None,
    "post_request": lambda worker, request, environ, response: None,
    "worker_int": lambda worker: None,
    "worker_abort": lambda worker: None,
    "ssl_context": lambda config, factory: factory(),
}


def test_what_only_gunicorns_own_workers_read_is_refused() -> None:
    """Each such option is named with what to use; as by default, all of them pass."""
    assert set(IGNORED) == set(INSTEAD)
    assert list(ignored(Config())) == []
    for name, value in IGNORED.items():
        cfg = Config()
        cfg.set(name, value)
        assert list(ignored(cfg)) == [f"{name}: it has no effect here; {INSTEAD[name]}"]


def test_a_log_file_counts_where_gunicorn_leads_the_output_there() -> None:
    """With `capture_output`, gunicorn's `errorlog` is where stdout and stderr go."""
    cfg = Config()
    cfg.set("errorlog", "/nowhere")
    cfg.set("capture_output", True)
    assert list(ignored(cfg)) == []


def test_the_prefix_of_a_proxy_is_gunicorns_option() -> None:
    """`root_path` reaches the server, and so each request's scope."""
    cfg = Config()
    cfg.set("root_path", "/api")
    assert serving(FastAPI(), cfg, ServiceSettings()).config.root_path == "/api"


def test_the_processes_environment_may_hold_no_settings(world: World, conf: Callable[[str], Path]) -> None:
    """gunicorn sets it after the settings were read; each setting in it is named, file or not, and nothing else is."""
    lines = "raw_env = ['OTHER=1', 'drain_seconds=1', 'DRAIN_SECONDS=20', 'TOKEN_FILE=/x', 'OTHER_FILE=/x']"
    with Gunicorn(conf(lines), world.folder, WORLD=world.folder) as service:
        assert service.wait_exit() == 3
    assert re.findall(r"raw_env: (\w+)", service.log) == ["DRAIN_SECONDS", "TOKEN_FILE"]


def test_the_command_line_is_no_way_around(world: World, conf: Callable[[str], Path]) -> None:
    """GUNICORN_CMD_ARGS stands above the file, and is checked with it."""
    arguments = {"GUNICORN_CMD_ARGS": "--preload --timeout 0"}
    with Gunicorn(conf(""), world.folder, WORLD=world.folder, **arguments) as service:
        assert service.wait_exit() == 3
        assert "bad setting preload_app" in service.log
        assert "; timeout = 0" in service.log


def test_the_worker_class_alone_is_refused(world: World) -> None:
    """Without `configure` there is no board and no drain: the status is 3, and the sentence says what is missing."""
    conf = world.folder / "gunicorn.conf.py"
    conf.write_text("worker_class = 'warmstart.pod.worker.Worker'\nwsgi_app = 'sample:app'\nbind = '127.0.0.1:0'\n")
    with Gunicorn(conf, world.folder, GUNICORN_CMD_ARGS="--no-control-socket") as service:
        assert service.wait_exit() == 3
        assert '`configure(globals(), Settings, "app:create_app()")` is missing' in service.log


def test_a_process_that_dies_at_its_start_is_not_replaced_at_once(world: World, conf: Callable[[str], Path]) -> None:
    """The master starts about one a second; without the pause it would start as many as the machine can."""
    ill = world.folder / "ill"
    dies = f"os.path.exists('{ill}') and os.kill(os.getpid(), signal.SIGKILL)"
    lines = f"import signal\ndef post_fork(server, worker): {dies}"
    with Gunicorn(conf(lines), world.folder, WORLD=world.folder) as service:
        [first] = service.wait_ready().workers()
        ill.touch()
        begun = time.monotonic()
        os.kill(first, signal.SIGKILL)
        until(lambda: service.log.count("Booting worker") > 3, 20, "three more", lambda: service.log[-1500:])
        assert time.monotonic() - begun > RESPAWN_PAUSE


def test_a_taken_port_is_status_3(world: World, conf: Callable[[str], Path]) -> None:
    """A taken port ends the start with status 3, as any other failure; gunicorn's line names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"bind = '127.0.0.1:{taken.getsockname()[1]}'"
        with Gunicorn(conf(bind), world.folder, WORLD=world.folder) as service:
            assert service.wait_exit() == 3
            assert "Can't connect to ('127.0.0.1', " in service.log
