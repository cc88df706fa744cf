"""What a process goes through, and what it opens: no HTTP, no gunicorn."""
