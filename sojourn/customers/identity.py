"""Whose event it is: exact ids, and profiles that turn out to be one person's.

- A user id or an anonymous id names exactly one profile.
- A call that carries both says that they are one person: an anonymous profile becomes the known
  one's, with all that happened to it.
- An anonymous id that already belongs to another user never merges the two: it moves on to the user
  of the latest call, for later events.
- An alias says outright that two ids are one person's, even two user ids.
The winner of a merge is the profile with the user id that the call names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Connection, Table, and_, bindparam, delete, insert, select, update

from sojourn.customers import profiles as people
from sojourn.customers.traits import Profile
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import identifiers, merges, metadata, profiles, segment_members

USER, ANONYMOUS = people.KINDS
_Key = tuple[str, str]
_MOVE_IDENTIFIER = (
    update(identifiers)
    .where(identifiers.c.kind == bindparam("b_kind"), identifiers.c.value == bindparam("b_value"))
    .values(profile_id=bindparam("b_profile_id"), since=bindparam("b_since"))
)


def random_id() -> str:
    """Return an id for a new profile."""
    return str(uuid4())


class Named(Protocol):
    """What of an event tells whose it is."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def user_id(self) -> str | None: ...  # noqa: D102
    @property
    def anonymous_id(self) -> str | None: ...  # noqa: D102
    @property
    def previous_id(self) -> str | None: ...  # noqa: D102
    @property
    def profile_id(self) -> str | None: ...  # noqa: D102
    @property
    def time(self) -> datetime: ...  # noqa: D102


@dataclass(frozen=True)
class Merge:
    """Two profiles turned out to be one person's."""

    loser_id: str
    winner_id: str
    because: str


@dataclass(frozen=True)
class Resolved:
    """Whose an event is."""

    profile: Profile
    is_new: bool
    merges: tuple[Merge, ...] = ()


@dataclass
class _Owner:
    profile_id: str
    since: datetime


class People:
    """The people of a batch of events: read at once, changed in memory, written at once.

    Args:
        connection: of a writing transaction.
        named: the events that will be asked about.
        new_id: gives the ids of new profiles.
    """

    def __init__(self, connection: Connection, named: Iterable[Named], new_id: Callable[[], str] = random_id) -> None:
        self._connection = connection
        self._new_id = new_id
        self._owners: dict[_Key, _Owner] = {}
        self._profiles: dict[str, Profile] = {}
        self._with_user: set[str] = set()
        self._into: dict[str, str] = {}
        self._into_before: dict[str, str] = {}  # of profiles that events name outright: those merged in earlier batches
        self._new: dict[str, Profile] = {}
        self._changed: set[str] = set()
        self._stored: set[_Key] = set()
        self._taken: dict[_Key, _Owner] = {}
        self._merges: list[tuple[Merge, datetime]] = []
        asked = list(named)
        values = {value for one in asked for value in (one.user_id, one.anonymous_id, one.previous_id) if value is not None}
        self._read(values, {one.profile_id for one in asked if one.profile_id is not None})

    def _read(self, values: set[str], ids: set[str]) -> None:
        for some in chunks(values):
            named = and_(identifiers.c.kind.in_(people.KINDS), identifiers.c.value.in_(some))  # both, or the key's index is not used
            for row in self._connection.execute(select(identifiers).where(named)):
                self._owners[row.kind, row.value] = _Owner(row.profile_id, row.since)
        self._stored.update(self._owners)
        for some in chunks(ids):
            merged = select(profiles.c.id, profiles.c.merged_into).where(profiles.c.id.in_(some), profiles.c.merged_into.is_not(None))
            self._into_before.update({row.id: row.merged_into for row in self._connection.execute(merged)})
        named_directly = {self._into_before.get(id_, id_) for id_ in ids}
        for some in chunks(sorted({owner.profile_id for owner in self._owners.values()} | named_directly)):
            # Locked, in one order: a worker may be about to set a trait.
            held = select(profiles).where(profiles.c.id.in_(some)).order_by(profiles.c.id).with_for_update(key_share=True)
            for row in self._connection.execute(held):
                self._profiles[row.id] = people.of_row(row)
            known = select(identifiers.c.profile_id).where(and_(identifiers.c.kind == USER, identifiers.c.profile_id.in_(some)))
            self._with_user.update(self._connection.execute(known).scalars())

    # -- asking --------------------------------------------------------------------------------

    def resolve(self, named: Named) -> Resolved:
        """Return whose an event is, making and merging profiles as it says."""
        if named.profile_id is not None:
            return Resolved(self._named(named.profile_id), is_new=False)
        began, merged = len(self._new), len(self._merges)
        if named.user_id is None:
            assert named.anonymous_id is not None, "an envelope carries a user id or an anonymous id"
            profile = self._owned((ANONYMOUS, named.anonymous_id)) or self._make((ANONYMOUS, named.anonymous_id), named.time)
        else:
            profile = self._known(named.user_id, named.anonymous_id, named.time)
            if named.kind == "alias" and named.previous_id is not None:
                self._alias(named.previous_id, profile, named.time)
        found = tuple(merge for merge, _ in self._merges[merged:])
        return Resolved(profile, len(self._new) > began, found)

    def _named(self, profile_id: str) -> Profile:
        return self._profiles[self.canonical(self._into_before.get(profile_id, profile_id))]

    def touch(self, profile: Profile) -> None:
        """Note that a profile has changed."""
        self._changed.add(profile.id)

    def canonical(self, profile_id: str) -> str:
        """Return the id under which a profile of this batch lives on."""
        while profile_id in self._into:
            profile_id = self._into[profile_id]
        return profile_id

    def _known(self, user_id: str, anonymous_id: str | None, at: datetime) -> Profile:
        user = self._owned((USER, user_id))
        key = (ANONYMOUS, anonymous_id) if anonymous_id is not None else None
        visitor = self._owned(key) if key else None
        if user is None:
            if visitor is not None and visitor.id not in self._with_user:
                self._take((USER, user_id), visitor, at)
                return visitor
            user = self._make((USER, user_id), at)
        if key is None or visitor is user:
            return user
        if visitor is None:
            self._take(key, user, at)
        elif visitor.id not in self._with_user:
            self._merge(visitor, user, "an anonymous visitor became known", at)
        elif at >= self._owners[key].since:
            self._take(key, user, at)
        return user

    def _alias(self, previous_id: str, user: Profile, at: datetime) -> None:
        known = self._owned((USER, previous_id))
        visitor = self._owned((ANONYMOUS, previous_id))
        if known is None and visitor is None:  # its events may yet come, under either name
            self._take((USER, previous_id), user, at)
            self._take((ANONYMOUS, previous_id), user, at)
        if known is not None and known is not user:
            self._merge(known, user, "an alias joined two user ids", at)
        visitor = self._owned((ANONYMOUS, previous_id))
        if visitor is None or visitor is user:
            return
        if visitor.id not in self._with_user:
            self._merge(visitor, user, "an alias joined an anonymous visitor to a user", at)
        elif at >= self._owners[ANONYMOUS, previous_id].since:
            self._take((ANONYMOUS, previous_id), user, at)

    def _owned(self, key: _Key) -> Profile | None:
        owner = self._owners.get(key)
        return None if owner is None else self._profiles[self.canonical(owner.profile_id)]

    # -- changing ------------------------------------------------------------------------------

    def _make(self, key: _Key, at: datetime) -> Profile:
        profile = Profile(id=self._new_id(), first_seen=at, last_seen=at)
        self._profiles[profile.id] = self._new[profile.id] = profile
        self._take(key, profile, at)
        return profile

    def _take(self, key: _Key, profile: Profile, at: datetime) -> None:
        self._owners[key] = self._taken[key] = _Owner(profile.id, at)
        if key[0] == USER:
            self._with_user.add(profile.id)

    def _merge(self, loser: Profile, winner: Profile, because: str, at: datetime) -> None:
        winner.absorb(loser)
        self._into[loser.id] = winner.id
        self._changed.update((loser.id, winner.id))
        self._merges.append((Merge(loser.id, winner.id, because), at))

    # -- writing -------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what changed."""
        for loser in self._into:
            self._profiles[loser].merged_into = self.canonical(loser)
        people.insert_all(self._connection, list(self._new.values()))
        people.update_all(self._connection, [self._profiles[id_] for id_ in sorted(self._changed - self._new.keys())])
        self._write_merges()
        self._write_identifiers()

    def _write_identifiers(self) -> None:
        new: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        for (kind, value), owner in self._taken.items():
            row = {"kind": kind, "value": value, "profile_id": self.canonical(owner.profile_id), "since": owner.since}
            (moved if (kind, value) in self._stored else new).append(row)
        insert_new(self._connection, identifiers, new)
        if moved:
            self._connection.execute(_MOVE_IDENTIFIER, [{f"b_{name}": value for name, value in row.items()} for row in moved])

    def _write_merges(self) -> None:
        if not self._merges:
            return
        rows = [
            {"id": str(uuid4()), "loser_id": merge.loser_id, "winner_id": merge.winner_id, "because": merge.because, "at": at}
            for merge, at in self._merges
        ]
        self._connection.execute(insert(merges), rows)
        moved = [{"loser": loser, "winner": self.canonical(loser)} for loser in self._into]
        for table in _tables_of_people():
            self._connection.execute(_move(table, "profile_id"), moved)
        self._connection.execute(_move(profiles, "merged_into"), moved)
        for pair in moved:
            _join_members(self._connection, pair["loser"], pair["winner"])


def resolve(connection: Connection, named: Named) -> tuple[str, tuple[Merge, ...]]:
    """Return the profile id of one event, and the merges that it brought about, all written."""
    found = People(connection, [named])
    resolved = found.resolve(named)
    found.flush()
    return resolved.profile.id, resolved.merges


def _tables_of_people() -> Sequence[Table]:
    """Return every table whose rows are about one person and simply follow them; new ones are found by their column."""
    return [table for table in metadata.sorted_tables if "profile_id" in table.c and table is not segment_members]


def _move(table: Table, column: str) -> Any:
    return update(table).where(table.c[column] == bindparam("loser")).values({column: bindparam("winner")})


def _join_members(connection: Connection, loser: str, winner: str) -> None:
    """Give the winner the memberships that only the loser had; where both had one, the winner's stands."""
    rows = connection.execute(select(segment_members).where(segment_members.c.profile_id == loser)).mappings().all()
    insert_new(connection, segment_members, [{**row, "profile_id": winner} for row in rows])
    connection.execute(delete(segment_members).where(segment_members.c.profile_id == loser))
