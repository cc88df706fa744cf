"""Documents in Postgres: the table, and the statements on it."""
