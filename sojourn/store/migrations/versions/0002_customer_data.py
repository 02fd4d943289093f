"""customer data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step on."""
    op.create_table(
        "clusterings",
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("silhouette", sa.Float(), nullable=False),
        sa.Column("stability", sa.Float(), nullable=False),
        sa.Column("features", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("scaling", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("centres", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("names", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_clusterings")),
    )
    with op.batch_alter_table("clusterings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clusterings_at"), ["at"], unique=False)

    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("mapping", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("errors_size", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_imports_fingerprint")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "merge_candidates",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("left_id", sa.String(length=36), nullable=False),
        sa.Column("right_id", sa.String(length=36), nullable=False),
        sa.Column("probability", sa.Float(precision=53), nullable=False),
        sa.Column("match_weight", sa.Float(precision=53), nullable=False),
        sa.Column("because", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=True),
        sa.Column("model", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merge_candidates")),
        sa.UniqueConstraint("left_id", "right_id", name=op.f("uq_merge_candidates_left_id_right_id")),
    )
    with op.batch_alter_table("merge_candidates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_merge_candidates_right_id"), ["right_id"], unique=False)
        batch_op.create_index("ix_merge_candidates_state_probability", ["state", "probability", "id"], unique=False)

    op.create_table(
        "refused_merges",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("one_id", sa.String(length=36), nullable=False),
        sa.Column("other_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=255), server_default="", nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_merges")),
        sa.UniqueConstraint(
            "kind", "value", "one_id", "other_id", "reason", name=op.f("uq_refused_merges_kind_value_one_id_other_id_reason")
        ),
    )
    with op.batch_alter_table("refused_merges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refused_merges_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_refused_merges_one_id"), ["one_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refused_merges_other_id"), ["other_id"], unique=False)

    op.create_table(
        "segment_builds",
        sa.Column("segment", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cursor", sa.String(length=36), server_default="", nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("entered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("exited", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_segment_builds")),
    )
    op.create_table(
        "separations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("one_id", sa.String(length=36), nullable=False),
        sa.Column("other_id", sa.String(length=36), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_separations")),
    )
    with op.batch_alter_table("separations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_separations_one_id"), ["one_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_separations_other_id"), ["other_id"], unique=False)

    op.create_table(
        "violations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("event", sa.String(length=200), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_violations")),
    )
    with op.batch_alter_table("violations", schema=None) as batch_op:
        batch_op.create_index("ix_violations_at", ["at"], unique=False)

    op.create_table(
        "segment_due",
        sa.Column("profile", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["profile"], ["profiles.id"], name=op.f("fk_segment_due_profile_profiles")),
        sa.PrimaryKeyConstraint("profile", name=op.f("pk_segment_due")),
    )
    with op.batch_alter_table("segment_due", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_segment_due_at"), ["at"], unique=False)

    op.create_table(
        "trait_refusals",
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("trait", sa.String(length=200), nullable=False),
        sa.Column("profile_id", sa.String(length=36), nullable=False),
        sa.Column("origin_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=op.f("fk_trait_refusals_profile_id_profiles")),
        sa.PrimaryKeyConstraint("message_id", "trait", name=op.f("pk_trait_refusals")),
    )
    with op.batch_alter_table("trait_refusals", schema=None) as batch_op:
        batch_op.create_index("ix_trait_refusals_at", ["at"], unique=False)
        batch_op.create_index("ix_trait_refusals_profile", ["profile_id", "at"], unique=False)

    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("origin_id", sa.String(length=36), nullable=True))

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("origin_id", sa.String(length=36), nullable=True))

    with op.batch_alter_table("identifiers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("origin_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("shared", sa.Boolean(), server_default=sa.text("(false)"), nullable=False))
        batch_op.alter_column("kind", existing_type=sa.VARCHAR(length=32), type_=sa.String(length=40), existing_nullable=False)
        batch_op.create_index("ix_identifiers_value", ["value"], unique=False)

    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.add_column(sa.Column("profile_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("known_by", sa.Text(), nullable=True))

    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.add_column(sa.Column("number", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("from_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("to_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("kind", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("message_id", sa.String(length=255), nullable=True))
        batch_op.add_column(
            sa.Column("members", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), server_default=sa.text("'{}'"), nullable=False)
        )
        batch_op.add_column(sa.Column("undone_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("undone_because", sa.Text(), nullable=True))

    # Merges that were made before: what they shared was not kept; an alias said so in its because.
    op.execute(
        "UPDATE merges SET from_id = loser_id, to_id = winner_id,"
        " kind = CASE WHEN because LIKE 'an alias%' THEN 'alias' ELSE 'anonymous_id' END,"
        " number = (SELECT count(*) FROM merges AS other WHERE other.at < merges.at OR (other.at = merges.at AND other.id <= merges.id))"
    )
    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.alter_column("number", existing_type=sa.BigInteger(), nullable=False)
        batch_op.alter_column("from_id", existing_type=sa.String(length=36), nullable=False)
        batch_op.alter_column("to_id", existing_type=sa.String(length=36), nullable=False)
        batch_op.alter_column("kind", existing_type=sa.String(length=32), nullable=False)
        batch_op.create_index(batch_op.f("ix_merges_loser_id"), ["loser_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_merges_number"), ["number"], unique=False)
        batch_op.create_index(batch_op.f("ix_merges_winner_id"), ["winner_id"], unique=False)

    with op.batch_alter_table("profiles", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("tallies", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), server_default=sa.text("'{}'"), nullable=False)
        )
        batch_op.add_column(
            sa.Column(
                "own",
                sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
                nullable=True,
            )
        )

    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("time", sa.BigInteger(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "envelope",
                sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql"),
                nullable=True,
            )
        )

    with op.batch_alter_table("segment_members", schema=None) as batch_op:
        batch_op.create_index("ix_segment_members_profile_id", ["profile_id"], unique=False)


def downgrade() -> None:
    """Go the step back."""
    with op.batch_alter_table("segment_members", schema=None) as batch_op:
        batch_op.drop_index("ix_segment_members_profile_id")

    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_column("envelope")
        batch_op.drop_column("time")
        batch_op.drop_column("name")

    with op.batch_alter_table("profiles", schema=None) as batch_op:
        batch_op.drop_column("own")
        batch_op.drop_column("tallies")

    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_merges_winner_id"))
        batch_op.drop_index(batch_op.f("ix_merges_number"))
        batch_op.drop_index(batch_op.f("ix_merges_loser_id"))
        batch_op.drop_column("undone_because")
        batch_op.drop_column("undone_at")
        batch_op.drop_column("members")
        batch_op.drop_column("message_id")
        batch_op.drop_column("kind")
        batch_op.drop_column("to_id")
        batch_op.drop_column("from_id")
        batch_op.drop_column("number")

    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_column("known_by")
        batch_op.drop_column("profile_id")

    with op.batch_alter_table("identifiers", schema=None) as batch_op:
        batch_op.drop_index("ix_identifiers_value")
        batch_op.alter_column("kind", existing_type=sa.String(length=40), type_=sa.VARCHAR(length=32), existing_nullable=False)
        batch_op.drop_column("shared")
        batch_op.drop_column("origin_id")

    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_column("origin_id")

    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_column("origin_id")

    with op.batch_alter_table("trait_refusals", schema=None) as batch_op:
        batch_op.drop_index("ix_trait_refusals_profile")
        batch_op.drop_index("ix_trait_refusals_at")

    op.drop_table("trait_refusals")
    with op.batch_alter_table("segment_due", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_segment_due_at"))

    op.drop_table("segment_due")
    with op.batch_alter_table("violations", schema=None) as batch_op:
        batch_op.drop_index("ix_violations_at")

    op.drop_table("violations")
    with op.batch_alter_table("separations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_separations_other_id"))
        batch_op.drop_index(batch_op.f("ix_separations_one_id"))

    op.drop_table("separations")
    op.drop_table("segment_builds")
    with op.batch_alter_table("refused_merges", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refused_merges_other_id"))
        batch_op.drop_index(batch_op.f("ix_refused_merges_one_id"))
        batch_op.drop_index(batch_op.f("ix_refused_merges_at"))

    op.drop_table("refused_merges")
    with op.batch_alter_table("merge_candidates", schema=None) as batch_op:
        batch_op.drop_index("ix_merge_candidates_state_probability")
        batch_op.drop_index(batch_op.f("ix_merge_candidates_right_id"))

    op.drop_table("merge_candidates")
    op.drop_table("leases")
    op.drop_table("imports")
    with op.batch_alter_table("clusterings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clusterings_at"))

    op.drop_table("clusterings")
