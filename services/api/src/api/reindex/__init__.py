"""The job that replaces a model while it serves: `python -m api.reindex`.

All that it knows stands in Postgres: it can be killed anywhere, and begun again.
"""
