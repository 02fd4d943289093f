"""live content: AMP parts, what is live at open, answers of calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step on."""
    op.create_table(
        "calls",
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.Column("cursor", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("because", sa.Text(), nullable=True),
        sa.Column("answer", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=op.f("fk_calls_entry_id_entries")),
        sa.PrimaryKeyConstraint("entry_id", "cursor", name=op.f("pk_calls")),
    )
    op.create_table(
        "live_parts",
        sa.Column("send_key", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("shows", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["send_key"], ["sends.key"], name=op.f("fk_live_parts_send_key_sends")),
        sa.PrimaryKeyConstraint("send_key", "number", name=op.f("pk_live_parts")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("amp", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go the step back."""
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_column("amp")
    op.drop_table("live_parts")
    op.drop_table("calls")
