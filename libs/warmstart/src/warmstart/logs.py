"""One log stream for gunicorn, uvicorn and the service: lines for people, or JSON for machines.

A line that is written for a request has its id; a task that serves several requests says it: `extra={"request_id": …}`.
"""

import json
import logging
import traceback
from typing import Any

from warmstart import request_id
from warmstart.settings.service import ServiceSettings
from warmstart.traces import now

# Attributes that every record has; all others came through `extra=`.
_PLAIN = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"})

_json = json.JSONEncoder(default=str).encode


def _request_of(record: logging.LogRecord) -> str | None:
    name: str | None = getattr(record, "request_id", None)
    return name or request_id.current()


class _Dated(logging.Formatter):
    """Formats the time once a second: a busy service writes thousands of lines in it, and `strftime` takes 2 µs."""

    _second = -1
    _date = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """The time of a record, as `datefmt` has it or else as logging has it by default, milliseconds included."""
        second = int(record.created)
        if second != self._second:
            self._date = super().formatTime(record, datefmt or self.default_time_format)
            self._second = second
        return self._date if datefmt else f"{self._date},{record.msecs:03.0f}"


class ConsoleFormatter(_Dated):
    """Time, level, process, the request's id if there is one, logger and message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s [%(process)d]%(request)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record, and its traceback."""
        name = _request_of(record)
        record.request = f" [{name}]" if name else ""
        return super().format(record)


class JsonFormatter(_Dated):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, pid, message, request_id, and the `extra` fields.

    Within a span it also has `trace_id` and `span_id`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line for one record."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _PLAIN},
        }
        if name := _request_of(record):
            line["request_id"] = name
        line |= now.ids()
        if record.exc_info:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return _json(line)


def logging_config(settings: ServiceSettings) -> dict[str, Any]:
    """For gunicorn's `logconfig_dict`: all loggers propagate to one handler on stderr."""
    logging.logThreads = logging.logMultiprocessing = False  # no formatter uses them; a look-up for each record
    seldom = "ERROR" if settings.log_level == "error" else "WARNING"
    through: dict[str, Any] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": JsonFormatter},
            "console": {"()": ConsoleFormatter},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": settings.log_format}},
        "root": {"level": settings.log_level.upper(), "handlers": ["stderr"]},
        "loggers": dict.fromkeys(("gunicorn.error", "gunicorn.access"), through)
        | {name: {**through, "level": seldom} for name in ("uvicorn.error", "uvicorn.access")},
    }
