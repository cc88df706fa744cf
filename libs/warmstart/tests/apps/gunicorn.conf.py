"""The sample under gunicorn, as a service would be."""

import math
import os
import tempfile
from pathlib import Path

from pydantic import SecretStr

from warmstart.logs import logging_config
from warmstart.pod.gunicorn import child_exit, pre_fork, prepare  # noqa: F401 - gunicorn looks hooks up here
from warmstart.settings.service import ServiceSettings, load


class SampleSettings(ServiceSettings):
    """With a secret, which may be missing for a moment."""

    token: SecretStr | None = None


# Something that its owner deletes at its end, and that each forked process inherits.
scratch = tempfile.TemporaryDirectory(prefix="of-the-master-", dir=os.environ["WORLD"])

settings = load(SampleSettings)
prepare(settings)

wsgi_app = os.environ.get("APP", "sample:create_app()")
pythonpath = str(Path(__file__).parent)
bind = settings.bind
workers = settings.web_concurrency
worker_class = os.environ.get("WORKER_CLASS", "warmstart.pod.gunicorn.Worker")
logconfig_dict = logging_config(settings)
timeout = int(os.environ.get("TIMEOUT", "30"))
graceful_timeout = math.ceil(settings.stop_budget) + 2
keepalive = 75
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
