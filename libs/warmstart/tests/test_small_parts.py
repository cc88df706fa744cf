"""The parts that need no process: timings, log lines, pauses."""

import json
import logging
import subprocess
import sys
import time

import pytest

from warmstart.http.timing import Timings
from warmstart.lifecycle import backoff
from warmstart.logs import ConsoleFormatter, JsonFormatter


def test_timings_survive_the_header() -> None:
    """What one service writes into `Server-Timing`, the next one reads."""
    assert Timings(cache=0.0004, queue=1.25).header() == "cache;dur=0.400, queue;dur=1250.000"
    parsed = Timings.parse('cache;dur=0.400, miss, queue;desc="a";dur=2, inference;dur=1.5')
    assert parsed == {"cache": 0.0004, "inference": 0.0015}


def test_a_json_log_line_is_one_object_with_its_extra_fields() -> None:
    """The JSON form has level, logger, message, extra fields and the exception, in one line."""
    record = logging.makeLogRecord(
        {"name": "api", "levelname": "INFO", "msg": "hello %s", "args": ("you",), "status": 200}
    )
    record.exc_info = (ValueError, ValueError("why"), None)
    line = JsonFormatter().format(record)
    fields = json.loads(line)
    assert "\n" not in line
    assert (fields["message"], fields["level"], fields["status"]) == ("hello you", "info", 200)
    assert fields["exception"].endswith("ValueError: why\n")


FORMS = [(JsonFormatter(), "%Y-%m-%dT%H:%M:%S%z"), (ConsoleFormatter(), "%Y-%m-%d %H:%M:%S,{:03d}")]


@pytest.mark.parametrize(("formatter", "form"), FORMS)
def test_each_line_has_its_own_time(formatter: logging.Formatter, form: str) -> None:
    """Lines of one second share what is formatted once, and no more: seconds and milliseconds are each record's own."""
    for seconds, milliseconds in [(1, 250), (1, 500), (2, 0), (1, 750)]:
        record = logging.makeLogRecord({"created": seconds + milliseconds / 1000, "msecs": float(milliseconds)})
        expected = time.strftime(form, time.localtime(seconds)).format(milliseconds)
        assert expected in formatter.format(record)


def test_pauses_grow_to_a_cap_and_vary() -> None:
    """Pauses double to the cap, stay within half to whole of their step, and differ."""
    for attempt, step in [(1, 0.1), (2, 0.2), (5, 1.6), (6, 2.0), (1000, 2.0)]:
        pauses = {backoff.pause(attempt) for _ in range(50)}
        assert all(step / 2 <= pause <= step for pause in pauses)
        assert len(pauses) > 10


DEVELOPED = """
import logging.config
from fastapi import FastAPI
from fastapi.testclient import TestClient
from warmstart import ServiceSettings, install
from warmstart.logs import logging_config

settings = ServiceSettings()
logging.config.dictConfig(logging_config(settings))
app = FastAPI()
install(app, settings)
app.state.ready = True
for path in ("/livez", "/nosuch"):
    TestClient(app).get(path)
"""


@pytest.mark.parametrize(("level", "paths"), [("info", ["/nosuch"]), ("debug", ["/livez", "/nosuch"])])
def test_one_line_gives_development_the_same_log(monkeypatch: pytest.MonkeyPatch, level: str, paths: list[str]) -> None:
    """Without gunicorn, LOG_LEVEL and LOG_FORMAT count where the application configures the log by them."""
    monkeypatch.setenv("LOG_LEVEL", level)
    monkeypatch.setenv("LOG_FORMAT", "json")
    run = subprocess.run([sys.executable, "-c", DEVELOPED], capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    assert [each["path"] for each in lines if each["logger"] == "warmstart.access"] == paths
