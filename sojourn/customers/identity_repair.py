"""Identity by hand: merging two people, taking them apart again, and keeping two apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, Row, case, delete, insert, null, or_, select, update

from sojourn.customers import profiles as people
from sojourn.customers.identity_people import DEFAULT_RULES, People
from sojourn.customers.identity_pool import separations_between, tables_of_people
from sojourn.customers.identity_words import HAND, Merged, Refused, Unmerged
from sojourn.customers.segments import due
from sojourn.customers.segments.causes import Cause
from sojourn.errors import NotFound
from sojourn.language.identity_rules import IdentityRules
from sojourn.store.bulk import insert_new
from sojourn.store.locks import router_turn
from sojourn.store.tables import entries, events, merges, profiles, refusals, segment_members, sends, separations


def merge(
    connection: Connection,
    loser_id: str,
    winner_id: str,
    because: str,
    at: datetime,
    *,
    kind: Literal["hand", "resolution"] = "hand",
    force: bool = False,
    rules: IdentityRules = DEFAULT_RULES,
) -> Merged | Refused:
    """Make two profiles one person's; the winner's lives on, and the merge can be undone.

    Args:
        connection: of a writing transaction.
        loser_id: a profile, or one that was merged before.
        winner_id: the other.
        because: why, as it is shown ever after.
        at: the shop's moment.
        kind: who says so; a resolution does not join what someone took apart, a merge by hand does.
        force: even past the limits.
        rules: the limits.

    Raises:
        NotFound: one of them is no profile.
    """
    router_turn(connection)
    for one in (loser_id, winner_id):
        people.canonical(connection, one)
    sides = _members(connection, loser_id), _members(connection, winner_id)
    found = People(connection, [], rules=rules, ids=[loser_id, winner_id])
    refused = found.join(loser_id, winner_id, kind, because, at, force=force, apart=force or kind == HAND)
    found.flush(at)
    if refused is not None:
        return Refused(refused)
    ended = separations_between(connection, *sides)
    if ended:
        connection.execute(update(separations).where(separations.c.id.in_(ended)).values(ended_at=at))
    due.touch(connection, [found.canonical(winner_id)], at, Cause.EDIT)
    return Merged(found.canonical(winner_id), found.merges)


def keep_apart(connection: Connection, one_id: str, other_id: str, because: str, at: datetime) -> bool:
    """Remember that two profiles are two people, so that no automatic evidence joins them; False where they are one already.

    Raises:
        NotFound: one of them is no profile.
    """
    if people.canonical(connection, one_id) == people.canonical(connection, other_id):
        return False
    if not separations_between(connection, _members(connection, one_id), _members(connection, other_id)):
        _separate(connection, one_id, other_id, because, at)
    return True


def unmerge(connection: Connection, profile_id: str, because: str, at: datetime) -> Unmerged:
    """Give a merged profile back, with all that is its own, and keep the two apart from now on.

    Profiles that had been merged into it before go with it.

    Args:
        connection: of a writing transaction.
        profile_id: the profile that was merged into another.
        because: why, as it is shown ever after.
        at: the shop's moment.

    Raises:
        NotFound: there is no such profile, or it was not merged into another.
    """
    router_turn(connection)
    head = people.canonical(connection, profile_id)
    if head == profile_id:
        raise NotFound("this profile was not merged into another; `sojourn identity show` lists those that were merged into it")
    nodes = _members(connection, head)
    query = select(merges).where(merges.c.undone_at.is_(None), merges.c.from_id.in_(nodes)).order_by(merges.c.number)
    edges = connection.execute(query).all()
    cut = next(edge for edge, loser, _ in _replay(edges) if loser == profile_id)
    connection.execute(update(merges).where(merges.c.id == cut.id).values(undone_at=at, undone_because=because))
    _separate(connection, cut.from_id, cut.to_id, because, at)
    heads = _heads(nodes, [edge for edge in edges if edge.id != cut.id])
    back = next(found for found in heads.values() if found != head)  # the one that lives on never lost, so it keeps its side
    leaving = [node for node in nodes if heads[node] == back]
    moved = _move_back(connection, head, back, leaving)
    _show(connection, {head: [node for node in nodes if heads[node] == head], back: leaving})
    _part_members(connection, head, back, cut.members, was_loser=heads[cut.from_id] == back)
    due.touch(connection, [head, back], at, Cause.EDIT)
    return Unmerged(back, head, moved)


def _members(connection: Connection, profile_id: str) -> set[str]:
    head = people.canonical(connection, profile_id)
    return set(connection.execute(select(profiles.c.id).where(or_(profiles.c.id == head, profiles.c.merged_into == head))).scalars())


def _separate(connection: Connection, one_id: str, other_id: str, because: str, at: datetime) -> None:
    connection.execute(insert(separations).values(id=str(uuid4()), one_id=one_id, other_id=other_id, because=because, at=at))


def _replay(edges: Iterable[Row[Any]]) -> Iterable[tuple[Row[Any], str, str]]:
    """Return each merge with the profile that lost by it and the one that won, as if there were no merges but these."""
    into: dict[str, str] = {}
    for edge in edges:
        loser, winner = _root(into, edge.from_id), _root(into, edge.to_id)
        if loser != winner:
            into[loser] = winner
            yield edge, loser, winner


def _heads(nodes: Collection[str], edges: Iterable[Row[Any]]) -> dict[str, str]:
    """Return under which profile each lives on, as if there were no merges but these."""
    into = {loser: winner for _, loser, winner in _replay(edges)}
    return {node: _root(into, node) for node in nodes}


def _root(into: Mapping[str, str], node: str) -> str:
    while node in into:
        node = into[node]
    return node


def _move_back(connection: Connection, head: str, back: str, leaving: Collection[str]) -> int:
    """Give what is of the leaving profiles back to them; return how many events that is."""
    connection.execute(
        update(profiles).where(profiles.c.id.in_(leaving)).values(merged_into=case((profiles.c.id == back, null()), else_=back))
    )
    moved = 0
    for table in tables_of_people():
        if "origin_id" not in table.c:
            continue
        origin = case((table.c.origin_id == back, null()), else_=table.c.origin_id)
        result = connection.execute(
            update(table).where(table.c.profile_id == head, table.c.origin_id.in_(leaving)).values(profile_id=back, origin_id=origin)
        )
        moved = result.rowcount if table is events else moved
    # An entry goes with the event that began it, a send with its entry, a refusal with its event.
    mine = select(events.c.id).where(events.c.profile_id == back)
    began = or_(entries.c.trigger_id.in_(mine), entries.c.subject.in_(leaving))
    connection.execute(update(entries).where(entries.c.profile_id == head, began).values(profile_id=back))
    walked = select(entries.c.id).where(entries.c.profile_id == back)
    connection.execute(update(sends).where(sends.c.profile_id == head, sends.c.entry_id.in_(walked)).values(profile_id=back))
    connection.execute(update(refusals).where(refusals.c.profile_id == head, refusals.c.event_id.in_(mine)).values(profile_id=back))
    return moved


def _show(connection: Connection, groups: Mapping[str, Collection[str]]) -> None:
    """Write what is known of people anew, from the own facts of their profiles."""
    for head, nodes in groups.items():
        found = {row.id: people.own_of(row) for row in connection.execute(select(profiles).where(profiles.c.id.in_(nodes)))}
        own = found.pop(head)
        own.merged_into = None
        view = deepcopy(own)
        for other in found.values():
            view.absorb(other)
        people.update_all(connection, [view], {head: own} if found else {})


def _part_members(connection: Connection, head: str, back: str, had: Mapping[str, list[str]], *, was_loser: bool) -> None:
    """Give each the memberships that were its own before the merge."""
    theirs, mine = (had.get("loser", []), had.get("winner", [])) if was_loser else (had.get("winner", []), had.get("loser", []))
    of_head = segment_members.c.profile_id == head
    rows = connection.execute(select(segment_members).where(of_head, segment_members.c.segment.in_(theirs))).mappings()
    insert_new(connection, segment_members, [{**row, "profile_id": back} for row in rows.all()])
    only = [segment for segment in theirs if segment not in mine]
    connection.execute(delete(segment_members).where(of_head, segment_members.c.segment.in_(only)))
