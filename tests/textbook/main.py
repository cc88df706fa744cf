"""The application as the tutorial's test imports it: `from main import app`."""

from worker.app import create_app

app = create_app()
