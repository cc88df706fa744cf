"""How the worker runs: `gunicorn -c services/worker/gunicorn.conf.py` from the repository root."""

from warmstart import configure
from worker.settings import WorkerSettings

configure(globals(), WorkerSettings, "worker.asgi:create_app()")
