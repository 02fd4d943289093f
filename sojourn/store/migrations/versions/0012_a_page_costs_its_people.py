"""a page of people costs what its people cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MERGED = sa.text("merged_into IS NOT NULL")


def upgrade() -> None:
    """Go one step on."""
    op.create_table(
        "segment_judged",
        sa.Column("profile", sa.String(length=36), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["profile"], ["profiles.id"], name=op.f("fk_segment_judged_profile_profiles")),
        sa.PrimaryKeyConstraint("profile", name=op.f("pk_segment_judged")),
    )
    op.drop_index(op.f("ix_profiles_merged_into"), table_name="profiles")
    op.create_index(
        op.f("ix_profiles_merged_into"), "profiles", ["merged_into"], unique=False, sqlite_where=_MERGED, postgresql_where=_MERGED
    )


def downgrade() -> None:
    """Go the step back."""
    op.drop_index(op.f("ix_profiles_merged_into"), table_name="profiles")
    op.create_index(op.f("ix_profiles_merged_into"), "profiles", ["merged_into"], unique=False)
    op.drop_table("segment_judged")
