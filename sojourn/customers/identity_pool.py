"""The profiles and identifiers that a batch of events asks for: read at once, changed in memory, written at once.

Every profile is a node that keeps its own facts and identifiers. A merge makes an edge between two nodes, and the
one that lives on shows the facts of all nodes that hang together; so an edge can be cut again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, func, insert, or_, select, update

from sojourn.customers import profiles as people
from sojourn.customers.entry_merging import join_entries
from sojourn.customers.identifying import Key
from sojourn.customers.identity_words import OUTRIGHT, Merge, Reason
from sojourn.customers.traits import Profile
from sojourn.language.identity_rules import USER
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import identifiers, merges, metadata, profiles, refused_merges, segment_members, separations

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
# Statements are built once: building one costs more than SQLite takes to answer it.
_OWNERS = select(identifiers).where(identifiers.c.kind == bindparam("sought"), identifiers.c.value.in_(bindparam("ids", expanding=True)))
_MERGED = select(profiles.c.id, profiles.c.merged_into).where(profiles.c.id.in_(_IDS), profiles.c.merged_into.is_not(None))
# Locked, in one order: a worker may be about to set a trait.
_PROFILES = select(profiles).where(profiles.c.id.in_(_IDS)).order_by(profiles.c.id).with_for_update(key_share=True)
_COUNTS = (
    select(identifiers.c.profile_id, identifiers.c.kind, func.count().label("many"))
    .where(identifiers.c.profile_id.in_(_IDS))
    .group_by(identifiers.c.profile_id, identifiers.c.kind)
)
_ANY_SEPARATION = select(separations.c.id).where(separations.c.ended_at.is_(None)).limit(1)
_MOVE_IDENTIFIER = (
    update(identifiers)
    .where(identifiers.c.kind == bindparam("b_kind"), identifiers.c.value == bindparam("b_value"))
    .values({name: bindparam(f"b_{name}") for name in ("profile_id", "origin_id", "since", "shared")})
)


@dataclass
class Owner:
    """Whose an identifier is: the node that holds it, and since when."""

    node: str
    since: datetime
    shared: bool = False


@dataclass(frozen=True)
class Edge:
    """A merge of this batch, and the evidence for it."""

    merge: Merge
    from_id: str
    to_id: str
    kind: str
    message_id: str | None
    at: datetime


class Pool:
    """What is known of the people of a batch.

    Args:
        connection: of a writing transaction.
        keys: identifiers that will be asked about.
        ids: of profiles that will be asked about.
        new_id: gives the ids of new profiles.
    """

    def __init__(self, connection: Connection, keys: Iterable[Key], ids: Iterable[str], new_id: Callable[[], str]) -> None:
        self.connection = connection
        self._new_id = new_id
        self.owners: dict[Key, Owner] = {}
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by the id that lives on: identifiers of each kind
        self.edges: list[Edge] = []
        self.new: dict[str, Profile] = {}
        self._views: dict[str, Profile] = {}
        self._own: dict[str, Profile] = {}  # own facts, where merges added others' to the view
        self._into: dict[str, str] = {}  # of this batch
        self._into_before: dict[str, str] = {}  # as stored
        self._changed: set[str] = set()
        self._stored: set[Key] = set()
        self._taken: dict[Key, Owner] = {}
        self._refused: list[dict[str, Any]] = []
        self._cores: dict[str, set[str]] = {}
        self._read(keys, set(ids))
        self._any_separation = connection.execute(_ANY_SEPARATION).first() is not None

    def _read(self, keys: Iterable[Key], ids: set[str]) -> None:
        by_kind: dict[str, set[str]] = {}
        for kind, value in keys:
            by_kind.setdefault(kind, set()).add(value)
        for kind, values in by_kind.items():
            for some in chunks(values):
                for row in self.connection.execute(_OWNERS, {"sought": kind, "ids": some}):
                    if (kind, row.value) in self._taken:
                        continue
                    node = row.origin_id or row.profile_id
                    self._stored.add((kind, row.value))
                    self.owners[kind, row.value] = Owner(node, row.since, row.shared)
                    if node != row.profile_id:
                        self._into_before[node] = row.profile_id
        for some in chunks(ids):
            self._into_before.update({row.id: row.merged_into for row in self.connection.execute(_MERGED, {"ids": some})})
        nodes = {owner.node for owner in self.owners.values()} | ids
        self._load((nodes | {self._into_before.get(node, node) for node in nodes}) - self._views.keys())

    def _load(self, ids: set[str]) -> None:
        for some in chunks(sorted(ids)):
            for row in self.connection.execute(_PROFILES, {"ids": some}):
                self._views[row.id] = people.of_row(row)
                if row.own is not None:
                    self._own[row.id] = people.own_facts(row.id, row.own)
            for row in self.connection.execute(_COUNTS, {"ids": some}):
                self.counts[row.profile_id][row.kind] += row.many

    def ask(self, keys: Iterable[Key]) -> None:
        """Read more identifiers."""
        self._read(keys, set())

    # -- asking --------------------------------------------------------------------------------

    def canonical(self, node: str) -> str:
        """Return the id under which a profile lives on."""
        found = self._into_before.get(node, node)
        while found in self._into:
            found = self._into[found]
        return found

    def view(self, node: str) -> Profile:
        """Return the person of a node, as everyone sees them.

        Raises:
            KeyError: it was not asked for.
        """
        return self._views[self.canonical(node)]

    def known(self) -> set[str]:
        """Return everyone who was read, by the id under which they live on."""
        return {self.canonical(node) for node in self._views}

    def own(self, node: str) -> Profile | None:
        """Return a node's own facts; None where they are the person's."""
        found = self._own.get(node)
        if found is not None:
            return found
        return None if self.canonical(node) == node else self._views[node]

    def has(self, node: str, kind: str) -> int:
        """Return how many identifiers of a kind the person of a node has."""
        return self.counts[self.canonical(node)][kind]

    def same(self, one: str, other: str) -> bool:
        """Tell whether two nodes are one person's."""
        return self.canonical(one) == self.canonical(other)

    def members(self, node: str) -> set[str]:
        """Return every node of a person."""
        head = self.canonical(node)
        heads = {head, *(loser for loser in self._into if self.canonical(loser) == head)}
        stored = select(profiles.c.id).where(profiles.c.merged_into.in_(heads))
        return heads | set(self.connection.execute(stored).scalars())

    def separated(self, one: str, other: str) -> bool:
        """Tell whether two people were taken apart."""
        if not self._any_separation:
            return False
        mine, theirs = self.members(one), self.members(other)
        return bool(mine and separations_between(self.connection, mine, theirs))

    def core(self, node: str) -> set[str]:
        """Return the nodes of a person that hang together with one by identifiers alone, whatever was said outright."""
        if node not in self._cores:
            stored = select(merges.c.from_id, merges.c.to_id).where(merges.c.undone_at.is_(None), merges.c.kind.not_in(OUTRIGHT))
            nodes = self.members(node)
            pairs = [(row.from_id, row.to_id) for row in self.connection.execute(stored.where(merges.c.from_id.in_(nodes)))]
            pairs += [(edge.from_id, edge.to_id) for edge in self.edges if edge.kind not in OUTRIGHT]
            self._cores[node] = _reachable(node, pairs)
        return self._cores[node]

    def users(self, node: str) -> set[str]:
        """Return the nodes of a person that hold a user id of their own."""
        head = self.canonical(node)
        query = select(func.coalesce(identifiers.c.origin_id, identifiers.c.profile_id))
        stored = query.where(identifiers.c.kind == USER, identifiers.c.profile_id.in_(self.members(head)))
        return {*self.connection.execute(stored).scalars(), *(owner.node for key, owner in self._taken.items() if key[0] == USER)}

    # -- changing ------------------------------------------------------------------------------

    def make(self, at: datetime) -> str:
        """Return the id of a new profile."""
        profile = Profile(id=self._new_id(), first_seen=at, last_seen=at)
        self._views[profile.id] = self.new[profile.id] = profile
        return profile.id

    def touch(self, profile_id: str) -> None:
        """Note that a profile's facts have changed."""
        self._changed.add(profile_id)

    def take(self, key: Key, node: str, at: datetime) -> None:
        """Give an identifier to a node."""
        owner = self.owners.get(key)
        if owner is not None:
            self.counts[self.canonical(owner.node)][key[0]] -= 1
        self.counts[self.canonical(node)][key[0]] += 1
        self.owners[key] = self._taken[key] = Owner(node, at)

    def note(self, key: Key, *, since: datetime | None = None, shared: bool = False) -> None:
        """Note that an identifier was said earlier than known, or is shared."""
        owner = self.owners[key]
        self.owners[key] = self._taken[key] = Owner(owner.node, since or owner.since, shared or owner.shared)

    def merge(self, from_id: str, to_id: str, kind: str, because: str, at: datetime, message_id: str | None) -> Merge:
        """Make two people one; the second's profile lives on."""
        loser, winner = self.view(from_id), self.view(to_id)
        self._own.setdefault(winner.id, deepcopy(winner))
        winner.absorb(loser)
        self.counts[winner.id].update(self.counts.pop(loser.id, Counter()))
        self._into[loser.id] = winner.id
        self._cores.clear()
        self._changed.update((loser.id, winner.id))
        merge = Merge(loser.id, winner.id, because)
        self.edges.append(Edge(merge, from_id, to_id, kind, message_id, at))
        return merge

    def refuse(self, one: str, other: str, key: Key, reason: Reason, message_id: str | None, at: datetime) -> None:
        """Record a merge that was not made, or (where the other is empty) an identifier that was not taken."""
        pair = sorted((self.canonical(one), self.canonical(other))) if other else [self.canonical(one), ""]
        self._refused.append(
            {
                "id": str(uuid4()), "one_id": pair[0], "other_id": pair[1], "kind": key[0], "value": key[1],
                "reason": reason, "message_id": message_id, "at": at,
            }
        )  # fmt: skip

    # -- writing -------------------------------------------------------------------------------

    def flush(self, now: datetime | None = None) -> None:
        """Write what changed.

        Args:
            now: the shop's moment, at which journeys end that went on twice; that of the latest merge where it is not given.
        """
        for loser in self._into:
            self._views[loser].merged_into = self.canonical(loser)
        people.insert_all(self.connection, list(self.new.values()), self._own)
        people.update_all(self.connection, [self._views[id_] for id_ in sorted(self._changed - self.new.keys())], self._own)
        self._write_edges(now)
        self._write_identifiers()
        insert_new(self.connection, refused_merges, self._refused)

    def _write_identifiers(self) -> None:
        new: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        for (kind, value), owner in self._taken.items():
            head = self.canonical(owner.node)
            row = {
                "kind": kind, "value": value, "profile_id": head, "origin_id": None if owner.node == head else owner.node,
                "since": owner.since, "shared": owner.shared,
            }  # fmt: skip
            (moved if (kind, value) in self._stored else new).append(row)
        insert_new(self.connection, identifiers, new)
        if moved:
            self.connection.execute(_MOVE_IDENTIFIER, [{f"b_{name}": value for name, value in row.items()} for row in moved])

    def _write_edges(self, now: datetime | None) -> None:
        if not self.edges:
            return
        join_entries(self.connection, {loser: self.canonical(loser) for loser in self._into}, now or max(edge.at for edge in self.edges))
        moved = [{"loser": loser, "winner": self.canonical(loser)} for loser in self._into]
        had = {pair["loser"]: _join_members(self.connection, pair["loser"], pair["winner"]) for pair in moved}
        move(self.connection, moved)
        last = int(self.connection.execute(select(func.coalesce(func.max(merges.c.number), 0))).scalar_one())
        rows = [
            {
                "id": str(uuid4()), "number": number, "loser_id": edge.merge.loser_id, "winner_id": edge.merge.winner_id,
                "from_id": edge.from_id, "to_id": edge.to_id, "kind": edge.kind, "because": edge.merge.because,
                "message_id": edge.message_id, "at": edge.at, "members": had[edge.merge.loser_id],
            }
            for number, edge in enumerate(self.edges, last + 1)
        ]  # fmt: skip
        self.connection.execute(insert(merges), rows)


def _reachable(start: str, pairs: Iterable[tuple[str, str]]) -> set[str]:
    near: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        near[one].add(other)
        near[other].add(one)
    found, waiting = {start}, [start]
    while waiting:
        fresh = near[waiting.pop()] - found
        found |= fresh
        waiting.extend(fresh)
    return found


def separations_between(connection: Connection, mine: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """Return the ids of the separations that hold two sets of profiles apart."""
    one, other = list(mine), list(theirs)
    apart = or_(
        separations.c.one_id.in_(one) & separations.c.other_id.in_(other), separations.c.one_id.in_(other) & separations.c.other_id.in_(one)
    )
    return list(connection.execute(select(separations.c.id).where(separations.c.ended_at.is_(None), apart)).scalars())


def tables_of_people() -> Sequence[Table]:
    """Return every table whose rows are about one person and follow them; new ones are found by their column."""
    return [table for table in metadata.sorted_tables if "profile_id" in table.c and table is not segment_members]


def move(connection: Connection, moved: Sequence[dict[str, Any]]) -> None:
    """Give all rows of losers to their winners, each remembering whose it would be."""
    for table in tables_of_people():
        if "profile_id" in table.primary_key.columns:
            for pair in moved:
                _rekey(connection, table, pair["loser"], pair["winner"])
            continue
        if table.name == "inbound":  # an event from inside says whose it is by the name that it was given
            continue
        kept = {"origin_id": func.coalesce(table.c.origin_id, table.c.profile_id)} if "origin_id" in table.c else {}
        connection.execute(
            update(table).where(table.c.profile_id == bindparam("loser")).values(profile_id=bindparam("winner"), **kept), moved
        )
    connection.execute(update(profiles).where(profiles.c.merged_into == bindparam("loser")).values(merged_into=bindparam("winner")), moved)


def _rekey(connection: Connection, table: Table, loser: str, winner: str) -> list[dict[str, Any]]:
    """Give the winner the rows that only the loser had; where both had one, the winner's stands. Return what there was."""
    rows = [dict(row) for row in connection.execute(select(table).where(table.c.profile_id == loser)).mappings()]
    insert_new(connection, table, [{**row, "profile_id": winner} for row in rows])
    connection.execute(delete(table).where(table.c.profile_id == loser))
    return rows


def _join_members(connection: Connection, loser: str, winner: str) -> dict[str, Any]:
    """Join the memberships of two, and return those that only the loser had, to be given back where the merge is undone."""
    both = set(connection.execute(select(segment_members.c.segment).where(segment_members.c.profile_id == winner)).scalars())
    rows = _rekey(connection, segment_members, loser, winner)
    return {"loser": sorted(row["segment"] for row in rows), "winner": sorted(both)} if rows else {}
