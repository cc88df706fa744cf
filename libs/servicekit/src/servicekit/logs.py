"""One log stream for gunicorn, uvicorn and the service: lines for people, or JSON for machines."""

import json
import logging
import traceback
from typing import Any

from servicekit.settings import ServiceSettings

# What every record has anyway; the rest came through `extra=`.
_PLAIN = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"})


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, pid, message, and the `extra` fields."""

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
        if record.exc_info:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


def logging_config(settings: ServiceSettings) -> dict[str, Any]:
    """For gunicorn's `logconfig_dict`: all loggers propagate to one handler on stderr."""
    logging.logThreads = logging.logMultiprocessing = False  # no line has them, and each record would look them up
    through: dict[str, Any] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": JsonFormatter},
            "console": {"format": "%(asctime)s %(levelname)-7s [%(process)d] %(name)s: %(message)s"},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": settings.log_format}},
        "root": {"level": settings.log_level.upper(), "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": through, "gunicorn.access": through},
    }
