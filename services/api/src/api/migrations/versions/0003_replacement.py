"""A model may be replaced while it serves: one row says which spaces there are, and which one searches use."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replacement",
        sa.Column("one", sa.Boolean, sa.CheckConstraint("one"), primary_key=True, server_default="true"),
        sa.Column("old", sa.Text, nullable=False),
        sa.Column("new", sa.Text, nullable=False),
        sa.Column("old_model", sa.Text, nullable=False),
        sa.Column("new_model", sa.Text, nullable=False),
        sa.Column("served", sa.Text, sa.CheckConstraint("served IN (old, new)"), nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("total", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.CheckConstraint("old <> new"),
    )


def downgrade() -> None:
    """Both spaces stay; from here on, the worker's model alone says which one searches use."""
    op.execute("SET LOCAL lock_timeout = '3s'")  # behind somebody's open transaction, all searches would wait
    op.drop_table("replacement")
