"""The limits of one call. This module imports nothing: gunicorn's master reads settings that use it."""

INPUTS = 256
ROWS = INPUTS  # of `POST /predict`: a head on embeddings takes the vectors of one call
BODY_BYTES = 8 * 2**20  # of the worker's setting MAX_BODY_BYTES, unless it is set
TEXT_CHARACTERS = 20_000  # of the settings MAX_TEXT_CHARACTERS, unless they are set
