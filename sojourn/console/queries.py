"""What the admin API and the commands read; plain functions of a Connection.

A person who was merged is one: whatever still stands under the other profiles is found as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, func, or_, select

from sojourn.console.paging import Cursor, older_than
from sojourn.console.views import (
    BuildView,
    ConsentView,
    DecisionView,
    EntryView,
    IdentifierView,
    JourneyView,
    MembershipView,
    MemberView,
    MergeView,
    MessageView,
    Page,
    ProfileView,
    SegmentView,
    SendDetail,
    SendView,
    TimelineItem,
    TraitRefusalView,
    TransitionView,
    VerdictView,
)
from sojourn.customers import consent, identity_history, refused
from sojourn.customers.profiles import canonical, find
from sojourn.customers.segments.guards import sizes
from sojourn.customers.segments.people import called
from sojourn.customers.segments.rebuild import builds
from sojourn.errors import NotFound
from sojourn.language.asked import SEGMENT_EVENTS
from sojourn.language.model import Journey, Segment
from sojourn.language.problems import unknown
from sojourn.store.tables import (
    consents,
    decisions,
    entries,
    events,
    identifiers,
    messages,
    profiles,
    refusals,
    segment_members,
    sends,
    transitions,
    verdicts,
)

SHOWN_REFUSALS = 20


def profile_id_of(connection: Connection, reference: str) -> str:
    """Return the canonical profile of a profile id or of any of a person's external ids.

    Raises:
        NotFound: nobody is known by it.
    """
    found = None if "\0" in reference else find(connection, reference)  # a NUL PostgreSQL does not take
    if found is not None:
        return canonical(connection, found)
    raise NotFound(
        "no profile has this id; give a profile id, or a user id, anonymous id, e-mail or other identifier that has sent an event"
    )


def journeys(connection: Connection, checked_in: Mapping[str, Journey]) -> list[JourneyView]:
    """Return every journey that is checked in, with what has come of it."""
    counted: dict[str, dict[str, int]] = {name: {} for name in checked_in}
    running: dict[str, int] = {}
    kinds = (entries.c.journey, entries.c.state, entries.c.outcome)
    for name, state, outcome, count in connection.execute(select(*kinds, func.count()).group_by(*kinds)):
        if state == "ended":
            counted.setdefault(name, {})[outcome or "unknown"] = count
        else:
            running[name] = running.get(name, 0) + count
    sent: dict[str, dict[str, int]] = {}
    for name, state, count in connection.execute(
        select(sends.c.journey, sends.c.state, func.count()).group_by(sends.c.journey, sends.c.state)
    ):
        sent.setdefault(name, {})[state] = count
    return [
        JourneyView(
            name=name,
            description=journey.description.strip(),
            owner=journey.owner,
            purpose=journey.purpose,
            priority=journey.priority,
            starts_on=journey.enter.on,
            running=running.get(name, 0),
            outcomes=counted[name],
            sends=sent.get(name, {}),
        )
        for name, journey in sorted(checked_in.items())
    ]


def profile(connection: Connection, reference: str) -> ProfileView:
    """Return a person, by profile id or external id.

    Raises:
        NotFound: nobody is known by it.
    """
    profile_id = profile_id_of(connection, reference)
    row = connection.execute(select(profiles).where(profiles.c.id == profile_id)).one()
    people = _same_person(connection, profile_id)
    named = connection.execute(select(identifiers).where(identifiers.c.profile_id.in_(people)).order_by(identifiers.c.since))
    mine = select(segment_members.c.segment, segment_members.c.since).where(segment_members.c.profile_id == profile_id)
    return ProfileView(
        id=row.id,
        traits=row.traits,
        zone=row.zone,
        locale=row.locale,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        identifiers=[IdentifierView.model_validate(found) for found in named],
        consents=[_agreed(stands) for stands in consent.standings_of(connection, people).values()],
        segments=[MembershipView.model_validate(row) for row in connection.execute(mine.order_by(segment_members.c.segment))],
        merged=[other for other in people if other != profile_id],
        merges=[MergeView.model_validate(found) for found in identity_history.merges_of(connection, people)],
        refused=[
            TraitRefusalView(trait=trait, reason=why, at=at) for trait, why, at in refused.of_person(connection, people, SHOWN_REFUSALS)
        ],
    )


def _agreed(stands: consent.Standing) -> ConsentView:
    """Return how a consent stands: by the word that does, or where there is none by the yes that waits."""
    word = stands.word or stands.waits
    assert word is not None  # something was said
    waits = None if stands.waits is None else stands.waits.at
    return ConsentView(
        id=word.id, purpose=word.purpose, granted=stands.granted, wording=word.wording, source=word.source, at=word.at, own=word.own,
        waits_since=waits,
    )  # fmt: skip


def segments(connection: Connection, checked_in: Mapping[str, Segment]) -> list[SegmentView]:
    """Return every segment that is checked in, with how many people are in it."""
    members = sizes(connection, checked_in)
    going = {build.segment: BuildView.model_validate(build) for build in builds(connection)}
    return [
        SegmentView(
            name=name,
            description=segment.description.strip(),
            condition=segment.members,
            list=segment.list_,
            source=segment.source,
            version=segment.version,
            members=members[name],
            build=None if segment.members is None else going.get(name),
        )
        for name, segment in sorted(checked_in.items())
    ]


def members_page(
    connection: Connection, checked_in: Mapping[str, Segment], segment: str, limit: int, cursor: Cursor | None = None
) -> Page[MemberView]:
    """Return who is in a segment, the latest who came first.

    Raises:
        NotFound: there is no such segment.
    """
    if segment not in checked_in:
        raise NotFound(unknown("segment", segment, checked_in))
    statement = select(segment_members).where(segment_members.c.segment == segment)
    rows, following = _page(connection, statement, segment_members.c.since, segment_members.c.profile_id, limit, cursor)
    names = called(connection, [row.profile_id for row in rows])
    items = [MemberView(profile_id=row.profile_id, known_as=names[row.profile_id], since=row.since) for row in rows]
    return Page(items=items, next=following)


def timeline(connection: Connection, reference: str, limit: int, cursor: Cursor | None = None) -> Page[TimelineItem]:
    """Return what happened to a person, newest first: events, entries, refusals and sends in one list.

    Raises:
        NotFound: nobody is known by the reference.
    """
    people = _same_person(connection, profile_id_of(connection, reference))
    found: list[tuple[Cursor, TimelineItem]] = []
    for rank, (table_id, at, owner, make) in enumerate(_SOURCES):
        statement = (
            select(at.table)
            .where(owner.in_(people), at.is_not(None), *older_than(cursor, at, table_id, rank))
            .order_by(at.desc(), table_id.desc())
            .limit(limit + 1)
        )
        for row in connection.execute(statement):
            item = make(row)
            found.append((Cursor(item.at, rank, item.id), item))
    found.sort(key=lambda pair: (pair[0].at, pair[0].rank, pair[0].id), reverse=True)
    shown = found[:limit]
    return Page(items=[item for _, item in shown], next=shown[-1][0].text() if len(found) > limit else None)


def entries_page(
    connection: Connection, limit: int, cursor: Cursor | None = None, *, profile: str | None = None, journey: str | None = None
) -> Page[EntryView]:
    """Return entries, newest first, of one person or journey where they are given.

    Raises:
        NotFound: nobody is known by the reference.
    """
    statement = select(entries)
    if profile is not None:
        statement = statement.where(entries.c.profile_id.in_(_same_person(connection, profile_id_of(connection, profile))))
    if journey is not None:
        statement = statement.where(entries.c.journey == journey)
    rows, following = _page(connection, statement, entries.c.started_at, entries.c.id, limit, cursor)
    return Page(items=[EntryView.model_validate(row) for row in rows], next=following)


def sends_page(
    connection: Connection, limit: int, cursor: Cursor | None = None, *, profile: str | None = None, state: str | None = None
) -> Page[SendView]:
    """Return sends, newest first, of one person or in one state where they are given.

    Raises:
        NotFound: nobody is known by the reference.
    """
    statement = select(sends)
    if profile is not None:
        statement = statement.where(sends.c.profile_id.in_(_same_person(connection, profile_id_of(connection, profile))))
    if state is not None:
        statement = statement.where(sends.c.state == state)
    rows, following = _page(connection, statement, sends.c.created_at, sends.c.key, limit, cursor)
    return Page(items=[SendView.model_validate(row) for row in rows], next=following)


def send(connection: Connection, key: str) -> SendDetail:
    """Return everything that explains a send.

    Raises:
        NotFound: there is no such send.
    """
    row = None if "\0" in key else connection.execute(select(sends).where(sends.c.key == key)).first()
    if row is None:
        raise NotFound("no send has this key; `sojourn profile ID` lists a person's sends")
    message = connection.execute(select(messages).where(messages.c.send_key == key)).first()
    word = connection.execute(select(consents).where(consents.c.id == row.consent_id)).first() if row.consent_id else None
    judged = connection.execute(select(decisions.c.answers).where(decisions.c.entry_id == row.entry_id).order_by(decisions.c.at)).scalars()
    replies = connection.execute(select(events).where(events.c.send_key == key).order_by(events.c.time, events.c.id))
    entry = connection.execute(select(entries).where(entries.c.id == row.entry_id)).one()
    return SendDetail(
        **SendView.model_validate(row).model_dump(),
        verdicts=[
            VerdictView.model_validate(found)
            for found in connection.execute(select(verdicts).where(verdicts.c.send_key == key).order_by(verdicts.c.id))
        ],
        transitions=[
            TransitionView.model_validate(found)
            for found in connection.execute(select(transitions).where(transitions.c.send_key == key).order_by(transitions.c.id))
        ],
        message=None if message is None else MessageView.model_validate(message),
        decisions=[DecisionView.model_validate(answer) for answers in judged for answer in answers["trail"]],
        consent=None if word is None else ConsentView.model_validate(word),
        engagement=[_event(found) for found in replies],
        entry=EntryView.model_validate(entry),
    )


def is_send(connection: Connection, key: str) -> bool:
    """Tell whether a text is a send's key."""
    return "\0" not in key and connection.execute(select(sends.c.key).where(sends.c.key == key)).first() is not None


def person_ids(connection: Connection, reference: str) -> list[str]:
    """Return all profile ids of the person that a profile id or any external id names.

    Raises:
        NotFound: nobody is known by it.
    """
    return _same_person(connection, profile_id_of(connection, reference))


def _same_person(connection: Connection, profile_id: str) -> list[str]:
    """Return a canonical profile and all that were merged into it."""
    same = or_(profiles.c.id == profile_id, profiles.c.merged_into == profile_id)
    return list(connection.execute(select(profiles.c.id).where(same)).scalars())


def _page(
    connection: Connection, statement: Select[Any], at: Column[Any], row_id: Column[Any], limit: int, cursor: Cursor | None
) -> tuple[list[Row[Any]], str | None]:
    ordered = statement.where(*older_than(cursor, at, row_id)).order_by(at.desc(), row_id.desc()).limit(limit + 1)
    rows = list(connection.execute(ordered))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]._mapping
    return rows[:limit], Cursor(last[at], 0, last[row_id]).text()


def _event(row: Row[Any]) -> TimelineItem:
    of_segment = str(row.properties.get("segment", "")) if row.name in SEGMENT_EVENTS else ""
    detail = "by a machine" if row.machine else of_segment
    return TimelineItem(at=row.time, kind="event", title=row.name, detail=detail, id=row.id, machine=row.machine, properties=row.properties)


def _started(row: Row[Any]) -> TimelineItem:
    began = row.trigger.get("name", "an event") if isinstance(row.trigger, dict) else "an event"
    return TimelineItem(at=row.started_at, kind="entry_started", title=f"entered {row.journey}", detail=f"by {began}", id=row.id)


def _ended(row: Row[Any]) -> TimelineItem:
    title = f"left {row.journey}: {row.outcome}"
    return TimelineItem(at=row.ended_at, kind="entry_ended", title=title, detail=row.because or "", id=row.id)


def _refused(row: Row[Any]) -> TimelineItem:
    return TimelineItem(at=row.at, kind="refusal", title=f"not entered {row.journey}", detail=row.reason, id=row.id)


def _sent(row: Row[Any]) -> TimelineItem:
    title = f"send {row.content}: {row.state}"
    return TimelineItem(at=row.created_at, kind="send", title=title, detail=row.reason or "", id=row.key)


_SOURCES = (
    (events.c.id, events.c.time, events.c.profile_id, _event),
    (entries.c.id, entries.c.started_at, entries.c.profile_id, _started),
    (entries.c.id, entries.c.ended_at, entries.c.profile_id, _ended),
    (refusals.c.id, refusals.c.at, refusals.c.profile_id, _refused),
    (sends.c.key, sends.c.created_at, sends.c.profile_id, _sent),
)
