"""backup and restore: what a store knows of itself, what is in doubt after a restore, which endings were inferred."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step on."""
    op.create_table(
        "doubts",
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_doubts")),
    )
    op.create_table(
        "store_facts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_store_facts")),
    )
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ended_by", sa.String(length=16), nullable=True))
    op.execute("UPDATE entries SET ended_by = 'guess' WHERE because = 'its workflow had closed' OR because LIKE 'Temporal says %'")


def downgrade() -> None:
    """Go the step back."""
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.drop_column("ended_by")
    op.drop_table("store_facts")
    op.drop_table("doubts")
