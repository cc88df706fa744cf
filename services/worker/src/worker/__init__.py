"""Text embeddings over HTTP: one model, warm before the first request."""

__version__ = "0.1.0"
