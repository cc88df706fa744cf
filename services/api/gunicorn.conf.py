"""How the api runs: `gunicorn -c services/api/gunicorn.conf.py` from the repository root."""

from api.settings import ApiSettings
from warmstart import configure

configure(globals(), ApiSettings, "api.app:create_app()")
