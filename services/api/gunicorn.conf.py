"""How the api runs: `gunicorn -c services/api/gunicorn.conf.py` from the repository root."""

import logging

from gunicorn.arbiter import Arbiter

from api.settings import ApiSettings
from warmstart import configure

settings = configure(globals(), ApiSettings, "api.app:create_app()")


def when_ready(server: Arbiter) -> None:
    """Warn once, in the master, and not in each process."""
    if settings.environment == "production" and not settings.keys():
        logging.getLogger("api").warning("ENVIRONMENT=production without API_KEYS: /v1 is open to everybody")
