"""How a service would run with a pod's environment: its own settings class and gunicorn.conf.py, executed."""

import os
import runpy
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from gunicorn.config import Config

from api.settings import ApiSettings
from stack.site import REPOSITORY
from warmstart import ServiceSettings
from warmstart.settings.secret_files import SUFFIX, is_secret
from warmstart.settings.service import METRICS_FOLDER
from worker.settings import WorkerSettings

CLASSES: Mapping[str, type[ServiceSettings]] = {"warmstart-api": ApiSettings, "warmstart-worker": WorkerSettings}


@dataclass(frozen=True)
class Server:
    """Seconds, as gunicorn reads them."""

    settings: ServiceSettings
    timeout: float
    graceful_timeout: float
    keepalive: float


@contextmanager
def _environment(image: str, environment: Mapping[str, str]) -> Iterator[None]:
    """The pod's in place of this process's; the files of secrets are there and hold something that fits."""
    fields = {key.upper(): field for key, field in CLASSES[image].model_fields.items()}
    kept = {key: value for key, value in os.environ.items() if key.removesuffix(SUFFIX) not in fields}
    with TemporaryDirectory() as folder:
        files = {}
        for name, field in fields.items():
            if environment.get(name + SUFFIX) and is_secret(field):
                files[name + SUFFIX] = str(Path(folder, name))
                Path(folder, name).write_text(
                    field.default.get_secret_value() if field.default else "a-key-as-long-as-production-wants"
                )
        with patch.dict(os.environ, {**kept, **environment, **files, METRICS_FOLDER: "unused"}, clear=True):
            yield


def settings_of(image: str, environment: Mapping[str, str]) -> ServiceSettings:
    """Settings of the service in an image. Raises ValueError, ValidationError often, for what it would refuse."""
    with _environment(image, environment):
        return CLASSES[image]()


def server_of(image: str, environment: Mapping[str, str]) -> Server:
    """The service in an image under gunicorn, GUNICORN_CMD_ARGS included."""
    return _server(image, frozenset(environment.items()))


@cache
def _server(image: str, variables: frozenset[tuple[str, str]]) -> Server:
    environment = dict(variables)
    conf_file = REPOSITORY / "services" / image.removeprefix("warmstart-") / "gunicorn.conf.py"
    with _environment(image, environment):
        conf = runpy.run_path(str(conf_file))
    given = Config().parser().parse_args(shlex.split(environment.get("GUNICORN_CMD_ARGS", "")))
    read = {key: getattr(given, key) or conf[key] for key in ("timeout", "graceful_timeout", "keepalive")}
    return Server(settings_of(image, environment), **{key: float(value) for key, value in read.items()})
