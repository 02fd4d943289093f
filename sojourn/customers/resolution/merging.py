"""Turns a pair into a merge, by the one door that identity has for it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, select

from sojourn.customers import identity
from sojourn.customers import profiles as people
from sojourn.customers.identity import DEFAULT_RULES
from sojourn.errors import NotFound
from sojourn.language.identity_rules import IdentityRules
from sojourn.store.tables import identifiers, profiles


class MergeProfiles(Protocol):
    """Merges a profile into another, or says why not."""

    def __call__(self, connection: Connection, loser_id: str, winner_id: str, because: str, at: datetime, *, by_hand: bool) -> str | None:
        """Return why it was refused; None where it was done."""
        ...


def by_identity(
    connection: Connection,
    loser_id: str,
    winner_id: str,
    because: str,
    at: datetime,
    *,
    by_hand: bool,
    rules: IdentityRules = DEFAULT_RULES,
    largest: int = 0,
) -> str | None:
    """Merge as identity does; what it refuses, it says why.

    Args:
        connection: of a writing transaction.
        loser_id: the profile that goes.
        winner_id: the profile that lives on.
        because: why, as it is shown ever after.
        at: the shop's moment.
        by_hand: a person said so.
        rules: how many identifiers a profile may have.
        largest: how many profiles may be found to be one person's; a profile may then have as many identifiers of each kind.
    """
    allowed = rules.at_least(largest) if largest else rules
    answer = identity.merge(connection, loser_id, winner_id, because, at, kind="hand" if by_hand else "resolution", rules=allowed)
    return answer.because if isinstance(answer, identity.Refused) else None


def both(connection: Connection, left: str, right: str) -> tuple[str, str] | None:
    """Return under which ids two profiles live on; None where they are one already.

    Raises:
        NotFound: one of them is gone.
    """
    one, other = people.canonical(connection, left), people.canonical(connection, right)
    return None if one == other else (one, other)


def loser_and_winner(connection: Connection, one: str, other: str) -> tuple[str, str]:
    """Return which goes into which: a known user stays before an anonymous one, then who is known longer, then the lesser id."""
    query = select(profiles.c.id, profiles.c.first_seen).where(profiles.c.id.in_([one, other]))
    seen = {row.id: row.first_seen for row in connection.execute(query)}
    if len(seen) < 2:
        raise NotFound("there is no such profile any more")
    users = _users(connection, seen)
    winner, loser = sorted(seen, key=lambda id_: (id_ not in users, seen[id_], id_))
    return loser, winner


def _users(connection: Connection, ids: Collection[str]) -> set[str]:
    query = select(identifiers.c.profile_id).where(identifiers.c.kind == "user_id", identifiers.c.profile_id.in_(ids))
    return set(connection.execute(query).scalars())
