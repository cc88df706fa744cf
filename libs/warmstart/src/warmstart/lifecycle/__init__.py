"""The phases of a process and the resources that it opens. No HTTP and no gunicorn is imported here."""
