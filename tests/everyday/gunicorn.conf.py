"""The service under gunicorn."""

from tests.everyday.parts import Settings
from warmstart import configure

configure(globals(), Settings, "tests.everyday.service:create_app()")
