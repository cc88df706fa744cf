"""The same for the api."""

from api.app import create_app

app = create_app()
