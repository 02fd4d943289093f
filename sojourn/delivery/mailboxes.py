"""Mailboxes: what caps, broadcasts and the pace that people choose count by, for one reader may be known under several ids.

A send keeps a digest of the address that it goes to, in the form in which addresses are compared. Who else is written to at
the same address is found by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, bindparam, select

from sojourn.customers.suppression import normalise
from sojourn.store.tables import entries, profiles, sends

_SHARERS = select(sends.c.mailbox, sends.c.profile_id).where(sends.c.mailbox.in_(bindparam("boxes", expanding=True))).distinct()
_TRAITS = select(profiles.c.id, profiles.c.traits).where(profiles.c.id.in_(bindparam("people", expanding=True)))
_WENT = (
    select(sends.c.key)
    .join(entries, entries.c.id == sends.c.entry_id)
    .where(
        sends.c.mailbox == bindparam("box"),
        sends.c.key != bindparam("besides"),
        sends.c.state.in_(bindparam("counted", expanding=True)),
        entries.c.trigger_id == select(entries.c.trigger_id).where(entries.c.id == bindparam("entry")).scalar_subquery(),
    )
    .limit(1)
)


def mailbox_of(address: str) -> str | None:
    """Return what stands for an address, however it is spelt; None where there is none."""
    return hashlib.sha256(normalise(address).encode()).hexdigest() if address else None


def sharers(conn: Connection, mailboxes: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Return, by mailbox, the profile ids under which anything was made for it."""
    found: dict[str, set[str]] = {}
    if mailboxes:
        for row in conn.execute(_SHARERS, {"boxes": sorted(mailboxes)}):
            found.setdefault(row.mailbox, set()).add(row.profile_id)
    return {mailbox: frozenset(people) for mailbox, people in found.items()}


def living_at(conn: Connection, people: Collection[str], mailbox: str) -> list[str]:
    """Return those of some profiles whose address still leads to a mailbox."""
    rows = conn.execute(_TRAITS, {"people": sorted(people)})
    return [row.id for row in rows if mailbox_of(str(row.traits.get("email") or "")) == mailbox]


def went_there(conn: Connection, mailbox: str, send_key: str, entry_id: str, counted: Sequence[str]) -> bool:
    """Tell whether what began an entry, a broadcast, had a message for this mailbox under another entry that may have arrived."""
    asked = {"box": mailbox, "besides": send_key, "entry": entry_id, "counted": list(counted)}
    return conn.execute(_WENT, asked).first() is not None
