"""the gate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step on."""
    op.create_table(
        "brakes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("journey", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("bad", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("released_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brakes")),
    )
    with op.batch_alter_table("brakes", schema=None) as batch_op:
        batch_op.create_index("ix_brakes_journey_released_at", ["journey", "released_at"], unique=False)

    op.create_table(
        "preferences",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("profile_id", sa.String(length=36), nullable=False),
        sa.Column("origin_id", sa.String(length=36), nullable=True),
        sa.Column("frequency", sa.String(length=16), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_preferences_profile_id_profiles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preferences")),
    )
    with op.batch_alter_table("preferences", schema=None) as batch_op:
        batch_op.create_index("ix_preferences_profile_at", ["profile_id", "at"], unique=False)

    op.create_table(
        "incidents",
        sa.Column("send_key", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("journey", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["send_key"], ["sends.key"], name=op.f("fk_incidents_send_key_sends")),
        sa.PrimaryKeyConstraint("send_key", "kind", name=op.f("pk_incidents")),
    )
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.create_index("ix_incidents_kind_at", ["kind", "at"], unique=False)
        batch_op.create_index("ix_incidents_kind_journey_at", ["kind", "journey", "at"], unique=False)

    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pending", sa.Boolean(), server_default=sa.text("(false)"), nullable=False))

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_events_send_key",
            ["send_key"],
            unique=False,
            sqlite_where=sa.text("send_key IS NOT NULL"),
            postgresql_where=sa.text("send_key IS NOT NULL"),
        )

    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic", sa.String(length=64), nullable=True))
        batch_op.create_index("ix_sends_journey_claimed_at", ["journey", "claimed_at"], unique=False)

    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.create_index("ix_suppressions_at", ["at", "address_hash"], unique=False)


def downgrade() -> None:
    """Go the step back."""
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.drop_index("ix_suppressions_at")

    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.drop_index("ix_sends_journey_claimed_at")
        batch_op.drop_column("topic")

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_events_send_key", sqlite_where=sa.text("send_key IS NOT NULL"), postgresql_where=sa.text("send_key IS NOT NULL")
        )

    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_column("pending")

    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.drop_index("ix_incidents_kind_journey_at")
        batch_op.drop_index("ix_incidents_kind_at")

    op.drop_table("incidents")
    with op.batch_alter_table("preferences", schema=None) as batch_op:
        batch_op.drop_index("ix_preferences_profile_at")

    op.drop_table("preferences")
    with op.batch_alter_table("brakes", schema=None) as batch_op:
        batch_op.drop_index("ix_brakes_journey_released_at")

    op.drop_table("brakes")
