"""providers and what they tell."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step on."""
    op.create_table(
        "carrier_days",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "day", name=op.f("pk_carrier_days")),
    )
    op.create_table(
        "carrier_slots",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=255), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "scope", name=op.f("pk_carrier_slots")),
    )
    op.create_table(
        "notices",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("send_key", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["send_key"], ["sends.key"], name=op.f("fk_notices_send_key_sends")),
        sa.PrimaryKeyConstraint("provider", "id", name=op.f("pk_notices")),
    )
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notices_send_key"), ["send_key"], unique=False)

    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.create_index("ix_sends_created_at_key", ["created_at", "key"], unique=False)
        batch_op.create_index("ix_sends_provider_message_id", ["provider_message_id"], unique=False)


def downgrade() -> None:
    """Go the step back."""
    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.drop_index("ix_sends_provider_message_id")
        batch_op.drop_index("ix_sends_created_at_key")

    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notices_send_key"))

    op.drop_table("notices")
    op.drop_table("carrier_slots")
    op.drop_table("carrier_days")
