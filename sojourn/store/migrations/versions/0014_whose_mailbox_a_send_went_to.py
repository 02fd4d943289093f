"""whose mailbox a send went to: what caps and broadcasts count by."""

from __future__ import annotations

import hashlib
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PAGE = 1_000
_SENDS = sa.table("sends", sa.column("key", sa.String), sa.column("mailbox", sa.String))
_MESSAGES = sa.table("messages", sa.column("send_key", sa.String), sa.column("to_address", sa.String))


def upgrade() -> None:
    """Go one step on."""
    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mailbox", sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_sends_mailbox"), ["mailbox", "profile_id"], unique=False)
    connection, last = op.get_bind(), ""
    while True:
        page = sa.select(_MESSAGES).where(_MESSAGES.c.send_key > last).order_by(_MESSAGES.c.send_key).limit(PAGE)
        rows = connection.execute(page).all()
        if not rows:
            return
        last = rows[-1].send_key
        known = [{"sought": row.send_key, "digest": _digest(row.to_address)} for row in rows if row.to_address]
        if known:
            connection.execute(
                sa.update(_SENDS).where(_SENDS.c.key == sa.bindparam("sought")).values(mailbox=sa.bindparam("digest")), known
            )


def _digest(address: str) -> str:
    """Return what stands for a plain address; one of an international domain counts anew from now on."""
    return hashlib.sha256(unicodedata.normalize("NFKC", address.strip()).casefold().encode()).hexdigest()


def downgrade() -> None:
    """Go one step back."""
    with op.batch_alter_table("sends", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sends_mailbox"))
        batch_op.drop_column("mailbox")
