"""How steps 1 to 4 run: `gunicorn -c gunicorn.conf.py step1_lifecycle:app`, in this folder."""

from warmstart import ServiceSettings, configure

configure(globals(), ServiceSettings, "step1_lifecycle:app")
