"""What an import would come to, told without writing: who of a file is new, by the store and by the rows before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from sqlalchemy import Connection, bindparam, select

from sojourn.bulk.people import known_keys
from sojourn.bulk.preparing import Prepared
from sojourn.customers.identifying import Key
from sojourn.intake.envelope import Envelope
from sojourn.language.identity_rules import ANONYMOUS, USER, IdentityRules
from sojourn.store.bulk import among, chunks, many
from sojourn.store.tables import events, identifiers, inbound


class Rehearsal:
    """Counts who and what would be new.

    As identity has it (`customers.identity_people`): a row is about someone who is known where its user id is, else where
    its anonymous id is that of someone without a user id. Only where it has neither, its other identifiers tell.

    Args:
        rules: how identifiers join profiles.
    """

    def __init__(self, rules: IdentityRules) -> None:
        self._rules = rules
        self._people: dict[int, int] = {}  # the hash of an identifier, and whose it is
        self._with_user: set[int] = set()
        self._count = 0
        self._messages: set[int] = set()

    def new_people(self, connection: Connection, rows: Sequence[Prepared]) -> int:
        """Return how many of some rows would make a person."""
        joining = [[key for key in one.keys if self._joins(key)] for one in rows]
        of_users = _with_user(connection, chain.from_iterable(joining))
        new = 0
        for one, keys in zip(rows, joining, strict=True):
            users = [key for key in one.keys if key[0] == USER]
            whose = self._whose(keys, users, of_users)
            if whose is None:
                new += 1
                self._count += 1
                whose = self._count
            for key in keys:
                self._people.setdefault(hash(key), whose)
            if users:
                self._with_user.add(whose)
        return new

    def _joins(self, key: Key) -> bool:
        return self._rules.rule(key[0]).merges and not self._rules.blocks(*key)

    def _whose(self, keys: Sequence[Key], users: Sequence[Key], stored: dict[Key, bool]) -> int | None:
        for key in users:
            if key in stored or hash(key) in self._people:
                return self._people.get(hash(key), 0)
        visitors = [key for key in keys if key[0] == ANONYMOUS]
        for key in visitors if users or visitors else keys:
            before = self._people.get(hash(key))
            if key not in stored and before is None:
                continue
            if not (users and (stored.get(key) or before in self._with_user)):
                return before or 0
        return None

    def new_events(self, connection: Connection, some: Sequence[Envelope]) -> list[Envelope]:
        """Return those of some events that neither the store nor the rows before hold."""
        stored: set[str] = set()
        for ids in chunks([one.message_id for one in some]):
            for column in (events.c.id, inbound.c.message_id):
                query = select(column).where(among(connection.dialect.name, column, "ids"))
                stored.update(connection.execute(query, {"ids": many(connection.dialect.name, ids)}).scalars())
        new = []
        for one in some:
            if one.message_id not in stored and hash(one.message_id) not in self._messages:
                new.append(one)
                self._messages.add(hash(one.message_id))
        return new


def _with_user(connection: Connection, keys: chain[Key]) -> dict[Key, bool]:
    """Return the identifiers that the store holds, each with whether its person has a user id."""
    named = list(keys)
    found: dict[Key, bool] = dict.fromkeys(known_keys(connection, named), False)
    dialect = connection.dialect.name
    users = identifiers.alias("users")
    has_user = select(users.c.value).where(users.c.profile_id == identifiers.c.profile_id, users.c.kind == USER).exists()
    by_kind: dict[str, list[str]] = {}
    for kind, value in found:
        by_kind.setdefault(kind, []).append(value)
    for kind, values in by_kind.items():
        query = select(identifiers.c.value).where(
            identifiers.c.kind == bindparam("named"), among(dialect, identifiers.c.value, "values"), has_user
        )
        for some in chunks(values):
            rows = connection.execute(query, {"named": kind, "values": many(dialect, some)})
            found.update(((kind, value), True) for value in rows.scalars())
    return found
