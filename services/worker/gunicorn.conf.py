"""How the worker runs: `gunicorn -c services/worker/gunicorn.conf.py` from the repository root."""

import math

from warmstart.logs import logging_config
from warmstart.pod.gunicorn import child_exit, pre_fork, prepare  # noqa: F401 - gunicorn looks hooks up here
from warmstart.settings.service import load
from worker.settings import WorkerSettings

settings = load(WorkerSettings)
prepare(settings)

wsgi_app = "worker.asgi:create_app()"
bind = settings.bind
workers = settings.web_concurrency
worker_class = "warmstart.pod.gunicorn.Worker"
logconfig_dict = logging_config(settings)

timeout = 30  # a process whose event loop stood still for this long is replaced
graceful_timeout = math.ceil(settings.stop_budget) + 2  # gunicorn kills after it: drain, in-flight and closing first
keepalive = 75  # longer than any client keeps an idle connection, or the two race

worker_tmp_dir = "/dev/shm"  # heartbeats on a disk can block
control_socket_disable = True  # it wants a writable home
