"""The public service: OpenAI-compatible embeddings, documents and semantic search."""

__version__ = "0.1.0"
