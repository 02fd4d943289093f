"""deeds and states of consent, and the addresses that refused.

Which of the words that are kept are deeds follows from their source: a trait and a banner say states; an import's yes is one
unless it names the wording that was agreed to; its no is taken for the reader's.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STATES = ("identify", "context.consent")
_DEEDS = ("event Subscribed", "event Unsubscribed", "confirmed by link", "preference page")


def upgrade() -> None:
    """Go one step on."""
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("own", sa.Boolean(), server_default=sa.text("(false)"), nullable=False))
        batch_op.add_column(sa.Column("stream", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("again_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "address_refusals",
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=80), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", "purpose", name=op.f("pk_address_refusals")),
    )
    words = sa.table(
        "consents", sa.column("own", sa.Boolean), sa.column("source"), sa.column("wording"), sa.column("granted", sa.Boolean),
        sa.column("pending", sa.Boolean),
    )  # fmt: skip
    no = sa.and_(sa.not_(words.c.granted), sa.not_(words.c.pending))
    op.execute(words.update().where(words.c.source.in_(_DEEDS)).values(own=True))
    op.execute(words.update().where(words.c.source.not_in(_STATES), words.c.wording.is_not(None) | no).values(own=True))


def downgrade() -> None:
    """Go the step back."""
    op.drop_table("address_refusals")
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_column("again_at")
        batch_op.drop_column("stream")
        batch_op.drop_column("own")
