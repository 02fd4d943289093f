"""Reads people, entries and sends from the store into what a shop's methods return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from sojourn.content.attributes import TAG, attributes_of
from sojourn.content.links import link_of
from sojourn.customers import consent, profiles
from sojourn.customers.segments.live import members
from sojourn.delivery.ledger import State as SendState
from sojourn.errors import NotFound
from sojourn.language.problems import unknown
from sojourn.store.tables import (
    entries,
    events,
    identifiers,
    links,
    messages,
    refusals,
    segment_members,
    sends,
    verdicts,
)
from sojourn.testing.answers import Answers, Entry, Line, Link, Profile, Refusal, Send, Verdict
from sojourn.travel.state import State


def person(connection: Connection, reference: str) -> str:
    """Return the profile id of a user id, an anonymous id or a profile id.

    Raises:
        NotFound: nobody is known by it; names the nearest who is.
    """
    found = profiles.find(connection, reference)
    if found is None:
        raise NotFound(unknown("person", reference, connection.execute(select(identifiers.c.value)).scalars()))
    return found


def members_of(connection: Connection, segment: str) -> Answers[str]:
    """Return who is in a segment, in order: each by user id, else by another name that the outside knows, else by profile id."""
    return Answers(sorted(name_of(connection, one) for one in members(connection, segment)))


def name_of(connection: Connection, profile_id: str) -> str:
    """Return the name that the shop knows a person by."""
    known = profiles.external_ids(connection, profile_id)
    return known[0][1] if known else profile_id


def profile(connection: Connection, reference: str) -> Profile:
    """Return a person."""
    found = profiles.load(connection, person(connection, reference))
    agreed = consent.standings_of(connection, [found.id])
    member = select(segment_members.c.segment).where(segment_members.c.profile_id == found.id)
    return Profile(
        id=found.id,
        traits=found.traits,
        zone=found.zone,
        locale=found.locale,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        identifiers=tuple(profiles.external_ids(connection, found.id)),
        consents={purpose: stands.word.granted for purpose, stands in agreed.items() if stands.word is not None},
        segments=frozenset(connection.execute(member).scalars()),
    )


def entries_of(connection: Connection, reference: str, states: Mapping[str, State]) -> Answers[Entry]:
    """Return a person's entries, oldest first.

    Args:
        connection: of a reading transaction.
        reference: the person.
        states: of the entries that ran, by id.
    """
    query = (
        select(entries)
        .join(events, events.c.id == entries.c.trigger_id)
        .where(entries.c.profile_id == person(connection, reference))
        .order_by(entries.c.started_at, events.c.seq, entries.c.journey)
    )
    return Answers(_entry(row, states.get(row.id)) for row in connection.execute(query))


def _entry(row: Row[Any], state: State | None) -> Entry:
    return Entry(
        id=row.id,
        journey=row.journey,
        key=row.key,
        state=row.state,
        outcome=row.outcome,
        because=row.because,
        started_at=row.started_at,
        ended_at=row.ended_at,
        trail=tuple(Line(line.did, line.because, line.at, line.cursor) for line in (state.trail if state else ())),
        variants=row.variants,
        goal_at=row.goal_at,
        goal_value=row.goal_value,
    )


def sends_of(connection: Connection, reference: str) -> Answers[Send]:
    """Return what was to be sent to a person, oldest first, with what became of it."""
    query = (
        select(sends.c.key)
        .where(sends.c.profile_id == person(connection, reference))
        .order_by(sends.c.created_at, sends.c.claimed_at, sends.c.key)
    )
    return Answers(send_of(connection, key) for key in connection.execute(query).scalars().all())


def send_of(connection: Connection, key: str) -> Send:
    """Return a send by its key.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(
        select(sends, messages.c.subject, messages.c.text, messages.c.html, messages.c.amp, messages.c.headers)
        .outerjoin(messages, messages.c.send_key == sends.c.key)
        .where(sends.c.key == key)
    ).one_or_none()
    if row is None:
        raise NotFound("this shop has no such send; take one from `shop.sends(user_id)`")
    said = connection.execute(select(verdicts).where(verdicts.c.send_key == key).order_by(verdicts.c.id))
    return Send(
        key=key,
        journey=row.journey,
        content=row.content,
        id=row.send_id,
        variant=row.variant,
        state=row.state,
        reason=row.reason,
        at=row.settled_at if row.state == SendState.ACCEPTED else row.created_at,
        subject=row.subject or "",
        text=row.text or "",
        html=row.html or "",
        amp=row.amp,
        headers=row.headers or {},
        links=_links(connection, key, f"{row.html or ''}{row.amp or ''}"),
        verdicts=tuple(Verdict(one.check, one.verdict, one.because, one.at) for one in said),
    )


def _links(connection: Connection, key: str, html: str) -> tuple[Link, ...]:
    """Return where a message's links lead, each with the address that stands in the message for it."""
    urls = connection.execute(select(links.c.url).where(links.c.send_key == key).order_by(links.c.position)).scalars()
    tracked = dict.fromkeys(found for found in hrefs(html) if "/c/" in found)  # HTML and AMP bear one number for one address
    return tuple(Link(url, address) for url, address in zip(urls, tracked, strict=True))


def hrefs(html: str) -> list[str]:
    """Return the addresses of a message's links and pictures, in order."""
    found = [each for tag in TAG.finditer(html) if tag["name"] is not None for each in attributes_of(tag["attributes"])]
    return [link_of(each.raw or "") for name in ("href", "src") for each in found if each.name == name]


def refusals_of(connection: Connection, reference: str) -> Answers[Refusal]:
    """Return the triggers of a person that let nobody in, oldest first."""
    query = (
        select(refusals, events.c.name.label("event"), events.c.time)
        .join(events, events.c.id == refusals.c.event_id)
        .where(refusals.c.profile_id == person(connection, reference))
        .order_by(refusals.c.at, events.c.seq, refusals.c.journey)
    )
    return Answers(Refusal(row.journey, row.reason, row.event, row.at) for row in connection.execute(query))
