"""What one call may hold. Nothing is imported here: settings are made of it, which gunicorn's master reads."""

INPUTS = 256
BODY_BYTES = 8 * 2**20  # of the worker's setting MAX_BODY_BYTES, unless it is set
TEXT_CHARACTERS = 20_000  # of the settings MAX_TEXT_CHARACTERS, unless they are set
