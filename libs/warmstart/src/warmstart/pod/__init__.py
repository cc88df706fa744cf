"""The processes of one pod: their board, signals, gunicorn and connections; no web framework."""
