"""The schema that this code is written for. A test holds it against Alembic's own head."""

HEAD_REVISION = "0003"
