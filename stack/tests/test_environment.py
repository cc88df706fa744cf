"""What a shell holds for other programs' sake doesn't lead ours elsewhere; what is meant for ours is passed on."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from stack import EmbeddedStack, free_ports
from stack.environment import above, inherited
from stack.http import ask
from stack.ports import VARIABLES
from stack.site import REPOSITORY

NOWHERE = "http://127.0.0.1:9"
# As conda, tcsh, direnv, a neighbouring project, a cron job and a company's proxy leave them in a shell.
OTHERS = {
    "HOST": "x86_64-conda-linux-gnu",
    "host": "mylaptop",
    "PORT": "1",
    "DATABASE_URL": "postgresql://elsewhere/app",
    "DATABASE_URL_FILE": "/nonexistent",
    "REDIS_URL_FILE": "/nonexistent",
    "WORKER_URL": "ftp://elsewhere",
    "GUNICORN_CMD_ARGS": "--bind=127.0.0.1:9 --worker-class=sync",
    "PGSSLMODE": "verify-full",
    "PGSERVICE": "elsewhere",
    "PGTARGETSESSIONATTRS": "read-only",
    "PROMETHEUS_MULTIPROC_DIR": "/nonexistent",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "HTTP_PROXY": NOWHERE,
    "http_proxy": NOWHERE,
    "all_proxy": NOWHERE,
    "HOME": "/nonexistent",
    "TMPDIR": "/nonexistent",
    "LC_ALL": "C",
    "TZ": "Nowhere/Town",
    "DEBUG": "release",
    "SSL_CERT_FILE": "/nonexistent",
}
WISHES = {"ENGINE": "fake", "DRAIN_SECONDS": "0", "LOG_LEVEL": "DEBUG", "FAULTS_ENABLED": "1", "WEB_CONCURRENCY": "2"}


def up(stack: EmbeddedStack, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    ports = {VARIABLES[part]: str(port) for part, port in stack.site.ports.items()}
    argv = [sys.executable, "-m", "stack", "--root", str(stack.site.root), "up"]
    env = {**os.environ, **environment, **ports, "STACK": "embedded"}
    return subprocess.run(argv, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_up_works_in_anybody_s_shell(tmp_path: Path) -> None:
    """At the same addresses as ever, with the settings that are meant for the services."""
    for package in ("api", "worker", "warmstart", "gunicorn"):
        (tmp_path / "theirs" / package).mkdir(parents=True)
        (tmp_path / "theirs" / package / "__init__.py").write_text("raise SystemExit('a module of somebody else')")
    stack = EmbeddedStack(tmp_path / "stack", free_ports())
    try:
        done = up(stack, {**OTHERS, **WISHES, "PYTHONPATH": str(tmp_path / "theirs")})
        assert done.returncode == 0, done.stderr
        for part in ("api", "worker"):
            url = f"http://127.0.0.1:{stack.site.ports[part]}"
            assert ask(f"{url}/readyz", timeout=10).status == 200
            assert len(stack.pids(part)) == 3
            assert " DEBUG " in stack.logs(part)
            assert WISHES.items() <= psutil.Process(stack.pids(part)[0]).environ().items()
    finally:
        stack.discard()


def test_a_setting_that_is_wrong_is_named(tmp_path: Path) -> None:
    """A value of the shell that a service can't use ends `up`, with nothing left running and the setting's name."""
    stack = EmbeddedStack(tmp_path, free_ports())
    done = up(stack, {**WISHES, "ENVIRONMENT": "staging"})
    assert done.returncode == 1
    assert "bad setting ENVIRONMENT" in done.stderr
    assert not any(status.running for status in stack.status())


@pytest.mark.parametrize(
    "name", ["OMP_NUM_THREADS", "LD_PRELOAD", "LD_LIBRARY_PATH", "HF_HOME", "TZ", "LANG", "WEB_CONCURRENCY", "API_KEYS"]
)
def test_what_tunes_a_program_is_passed_on(name: str) -> None:
    """The caller's wish counts, also where it is no setting of ours."""
    assert inherited({name: "x"}) == {name: "x"}


@pytest.mark.parametrize("name", ["PGOPTIONS", "PYTHONPATH", "_PYTHON_SYSCONFIGDATA_NAME", "prometheus_multiproc_dir"])
def test_what_is_meant_for_others_is_left_behind(name: str) -> None:
    """In whatever case it is spelled; the stack's own value for the same name counts."""
    assert inherited({name: "x"}) == {}
    assert above({name: "ours"}, {name: "x"}) == {name: "ours"}


def test_a_file_that_the_shell_names_is_not_read_beside_our_value() -> None:
    """A service refuses a secret that is given twice; a file for another secret is the caller's wish."""
    shell = {"REDIS_URL_FILE": "/theirs", "redis_url": "theirs", "API_KEYS_FILE": "/wish"}
    assert above({"REDIS_URL": "ours"}, shell) == {"REDIS_URL": "ours", "API_KEYS_FILE": "/wish"}


@pytest.mark.parametrize(
    ("shell", "argument", "host"),
    [("mylaptop", None, ""), ("http://a:1", None, "http://a:1"), ("mylaptop", "b:2", "b:2"), ("", None, "")],
)
def test_the_name_of_the_machine_is_no_address_to_load(shell: str, argument: str | None, host: str) -> None:
    """`make loadtest` takes HOST as a URL, or from its own command line; variables of Python go nowhere."""
    argv = [
        "make",
        "--no-print-directory",
        "--eval",
        "probe:; @echo [$(LOAD_HOST)] [$$PYTHONHOME$$PYTHONPATH$$PYTHONWARNINGS]",
        "probe",
    ]
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}  # make test
    env = {**outer, "HOST": shell, "PYTHONHOME": "/no", "PYTHONPATH": "/no", "PYTHONWARNINGS": "error"}
    more = [f"HOST={argument}"] if argument else []
    done = subprocess.run([*argv, *more], cwd=REPOSITORY, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[{f'--host {host}' if host else ''}] []"
