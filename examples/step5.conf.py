"""How step 5 runs: `gunicorn -c step5.conf.py`, in this folder. Its own settings are checked before the start, too."""

from step5_settings import Settings

from warmstart import configure

configure(globals(), Settings, "step5_whole:create_app()")
