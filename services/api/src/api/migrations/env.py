"""Alembic's entry: runs the revisions on the connection that `api.migrate` has opened and locked."""

from alembic import context

from api.store.tables import documents

context.configure(connection=context.config.attributes["connection"], target_metadata=documents.metadata)
with context.begin_transaction():
    context.run_migrations()
