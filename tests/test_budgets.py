"""The inequalities of docs/lifecycle.md, rule 7, from the settings that gunicorn really reads."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config

from api.worker_sessions import KEEPALIVE
from warmstart import ServiceSettings
from warmstart.pod.master import Master
from warmstart.pod.server import serving
from warmstart.settings.service import METRICS_FOLDER

SERVICES = Path(__file__).parents[1] / "services"


@pytest.fixture(params=["api", "worker"])
def conf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What a service's gunicorn.conf.py defines, executed as gunicorn does."""
    monkeypatch.setenv(METRICS_FOLDER, str(tmp_path))
    conf = runpy.run_path(str(SERVICES / request.param / "gunicorn.conf.py"))
    return {**conf, "settings": Master.settings}


def test_a_graceful_stop_fits_into_gunicorns_patience(conf: dict[str, Any]) -> None:
    """Drain + in-flight limit + closing limit < gunicorn's `graceful_timeout`."""
    settings: ServiceSettings = conf["settings"]
    in_flight = serving(None, Config(), settings).config.timeout_graceful_shutdown
    assert in_flight == settings.request_timeout > 0
    assert settings.drain_seconds + in_flight + settings.shutdown_timeout < conf["graceful_timeout"]


def test_gunicorns_timeouts_exceed_what_is_tolerated(conf: dict[str, Any]) -> None:
    """gunicorn's `timeout` exceeds the longest request, and the server's keep-alive that of the api's client."""
    assert conf["timeout"] > conf["settings"].request_timeout
    assert conf["keepalive"] > KEEPALIVE
