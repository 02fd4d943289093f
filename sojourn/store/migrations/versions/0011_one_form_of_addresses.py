"""addresses have one form.

E-mail identifiers are written in their canonical form: a domain in A-labels as people read it, wide letters and dots of
other scripts as plain ones. Where that form is there already, for another person, the old row stays: whose it is, an event
or a hand decides. What stands on the suppression list is a hash, and is marked as one of a folded text.
"""

from __future__ import annotations

import idna
import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PAGE = 1_000
_IDENTIFIERS = sa.table("identifiers", sa.column("kind", sa.String), sa.column("value", sa.String), sa.column("profile_id", sa.String))


def upgrade() -> None:
    """Go one step on."""
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("folded", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    suppressions = sa.table("suppressions", sa.column("folded", sa.Boolean))
    op.execute(sa.update(suppressions).values(folded=sa.true()))
    for kind in ("email", "nobody:email"):
        _rewrite(kind)


def _rewrite(kind: str) -> None:
    connection, table = op.get_bind(), _IDENTIFIERS
    last = ""
    while True:
        page = sa.select(table.c.value).where(table.c.kind == kind, table.c.value > last).order_by(table.c.value).limit(PAGE)
        values = list(connection.execute(page).scalars())
        if not values:
            return
        last = values[-1]
        for value in values:
            meant = _canonical(value)
            if meant == value:
                continue
            of, to = ((table.c.kind == kind, table.c.value == text) for text in (value, meant))
            taken = connection.execute(sa.select(table.c.profile_id).where(*to)).scalar_one_or_none()
            whose = connection.execute(sa.select(table.c.profile_id).where(*of)).scalar_one_or_none()
            if taken is None:
                connection.execute(sa.update(table).where(*of).values(value=meant))
            elif taken == whose:
                connection.execute(sa.delete(table).where(*of))


def _canonical(value: str) -> str:
    """Return an address with its domain as people read it; one whose domain is none as it is."""
    local, _, domain = value.rpartition("@")
    if value.isascii() and "xn--" not in domain:
        return value
    try:
        labels = idna.uts46_remap(domain, std3_rules=True).split(".")
        return f"{local}@{'.'.join(idna.ulabel(one) if one.startswith('xn--') or not one.isascii() else one for one in labels)}"
    except idna.IDNAError:
        return value


def downgrade() -> None:
    """Go the step back; the canonical form is one that was kept before, too."""
    with op.batch_alter_table("suppressions", schema=None) as batch_op:
        batch_op.drop_column("folded")
