"""How each step from 1 on runs: `gunicorn -c gunicorn.conf.py step1_lifecycle:app`, in this folder."""

from warmstart import ServiceSettings, configure

configure(globals(), ServiceSettings, "step5_whole:create_app()")
