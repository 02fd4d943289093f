"""causes of segment changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step on."""
    op.create_table(
        "segment_releases",
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("profile_id", sa.String(length=36), nullable=False),
        sa.Column("segment", sa.String(length=64), nullable=False),
        sa.Column("entered", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.String(length=8), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_segment_releases_profile_id_profiles")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_segment_releases")),
    )
    with op.batch_alter_table("segment_releases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_segment_releases_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_segment_releases_profile_id"), ["profile_id"], unique=False)
    with op.batch_alter_table("segment_due", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cause", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("live", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    with op.batch_alter_table("segment_builds", schema=None) as batch_op:
        batch_op.add_column(sa.Column("live", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    """Go the step back."""
    with op.batch_alter_table("segment_builds", schema=None) as batch_op:
        batch_op.drop_column("live")
    with op.batch_alter_table("segment_due", schema=None) as batch_op:
        batch_op.drop_column("live")
        batch_op.drop_column("cause")
    with op.batch_alter_table("segment_releases", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_segment_releases_profile_id"))
        batch_op.drop_index(batch_op.f("ix_segment_releases_at"))
    op.drop_table("segment_releases")
