"""The limits of the api's cache hits: applications that gunicorn runs."""
