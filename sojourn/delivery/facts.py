"""Gathers what the gate judges by, inside the claim's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, bindparam, exists, func, or_, select

from sojourn.customers import consent, preferences
from sojourn.customers.consent import Consent
from sojourn.customers.identifying import NOBODYS, Key, write_keys
from sojourn.customers.preferences import WEEK, Frequency, topic_purpose
from sojourn.customers.suppression import normalise
from sojourn.delivery import brakes, ledger
from sojourn.delivery.ahead import ENTRY_FIELDS, Ahead
from sojourn.delivery.freezing import Recipient
from sojourn.delivery.gate import CapUse, ConsentFact, GateFacts, Rival, TopicFact
from sojourn.delivery.ledger import COUNTED, Near, SendRow, State
from sojourn.delivery.mailboxes import living_at, mailbox_of, sharers, went_there
from sojourn.delivery.message import Message, check_headers
from sojourn.delivery.rules import Cap, GateRules
from sojourn.errors import NotCaughtUp, RecipientChanged
from sojourn.language import email_address
from sojourn.language.identity_rules import ANONYMOUS, USER
from sojourn.store.bulk import like_any, many
from sojourn.store.locks import ROUTER
from sojourn.store.tables import cursors, entries, identifiers, inbound, profiles, sends

FIRST_STEPS = timedelta(minutes=1)  # in which a journey of a higher priority that has just begun may make its first message

# Statements are built once: building one costs more than SQLite takes to answer it.
_ROUTED = select(cursors.c.seq).where(cursors.c.name == ROUTER).scalar_subquery()
_KNOWN_BY = select(identifiers.c.kind, identifiers.c.value).where(identifiers.c.profile_id.in_(bindparam("people", expanding=True)))
_WAITS = select(inbound.c.seq).where(inbound.c.seq > func.coalesce(_ROUTED, 0)).limit(1)
_BEHIND = _WAITS.where(
    or_(
        inbound.c.user_id.in_(bindparam("users", expanding=True)),
        inbound.c.anonymous_id.in_(bindparam("visitors", expanding=True)),
        inbound.c.profile_id.in_(bindparam("people", expanding=True)),
    )
)
_STANDING = (
    select(*ENTRY_FIELDS, brakes.ON_JOURNEY, brakes.ON_BECAUSE)
    .join(profiles, profiles.c.id == bindparam("person"))
    .where(entries.c.id == bindparam("entry"))
)
_OTHER = entries.alias("other")
_SENT_BY_ANOTHER = (  # of the person, on the same journey and key, begun under a profile that was another's then
    select(sends.c.key)
    .join(_OTHER, _OTHER.c.id == sends.c.entry_id)
    .join(entries, entries.c.id == bindparam("entry"))
    .where(
        sends.c.profile_id.in_(bindparam("people", expanding=True)),
        sends.c.journey == bindparam("journey"),
        sends.c.send_id == bindparam("send"),
        sends.c.entry_id != bindparam("entry"),
        sends.c.state.in_([state.value for state in COUNTED]),
        sends.c.claimed_at >= entries.c.started_at,
        _OTHER.c.key == entries.c.key,
        func.coalesce(_OTHER.c.subject, _OTHER.c.profile_id) != func.coalesce(entries.c.subject, entries.c.profile_id),
    )
    .limit(1)
)
_NEWCOMERS = (  # other entries of the person that have just begun and sent nothing yet
    select(entries.c.journey, entries.c.started_at).where(
        entries.c.profile_id.in_(bindparam("people", expanding=True)),
        entries.c.journey.in_(bindparam("journeys", expanding=True)),
        entries.c.state == "running",
        entries.c.id != bindparam("entry"),
        entries.c.started_at > bindparam("since"),
        entries.c.delayed_until.is_(None),
        ~exists().where(sends.c.entry_id == entries.c.id),
    )
)


def caught_up(conn: Connection, people: Sequence[str]) -> None:
    """Make sure that every acknowledged event of a person has been routed (P3).

    An event may reach the person by any identifier: its user id, its anonymous id, or one that it names beside these
    (an address in traits, an alias's previous id, an external id). However events may lead to the person by way of each
    other, the one of them that is nearest names an identifier that is known already. Looking for those named beside errs
    on the side of waiting: the store compares them without regard to case and with `_` for any character.

    Raises:
        NotCaughtUp: one has not; the claim is to be tried again at once.
    """
    if conn.execute(_WAITS).first() is None:
        return
    known = [(row.kind.removeprefix(NOBODYS), row.value) for row in conn.execute(_KNOWN_BY, {"people": list(people)})]
    asked = {
        "people": list(people),
        "users": [value for kind, value in known if kind == USER],
        "visitors": [value for kind, value in known if kind == ANONYMOUS],
    }
    if conn.execute(_BEHIND, asked).first() is not None or _named_beside(conn, known):
        raise NotCaughtUp("events of this person are acknowledged but not yet routed; try again at once")


def _named_beside(conn: Connection, known: Sequence[Key]) -> bool:
    """Tell whether an event that waits names one of these beside its user id and its anonymous id."""
    dialect = conn.dialect.name
    return conn.execute(_naming(dialect), {"patterns": many(dialect, map(_pattern, known))}).first() is not None


@cache
def _naming(dialect: str) -> Select[Any]:
    return _WAITS.where(inbound.c.known_by.is_not(None), like_any(dialect, inbound.c.known_by, "patterns"))


def _pattern(key: Key) -> str:
    """Return what `inbound.known_by` looks like where it names an identifier; a backslash, which would escape, stands for anything."""
    return f"%{write_keys([key])[1:-1]}%".replace("\\", "_")


def anything_waits(conn: Connection) -> bool:
    """Tell whether any event at all is yet to be routed."""
    return conn.execute(_WAITS).first() is not None


@dataclass(frozen=True)
class Checked:
    """What is wrong with a message by itself, whoever it is for: with its address, and with what it would say in its headers."""

    address: str | None
    message: str | None


def check(message: Message) -> Checked:
    """Return what is wrong with a message by itself."""
    return Checked(address_problem(message.to_address), check_headers(message) if message.to_address else None)


def gather(
    conn: Connection,
    send: SendRow,
    message: Message,
    people: Sequence[str],
    now: datetime,
    rules: GateRules,
    ahead: Ahead | None = None,
    checked: Checked | None = None,
    written_for: Recipient | None = None,
) -> GateFacts:
    """Return what the gate judges a send by.

    Args:
        conn: the claim's transaction.
        send: the send.
        message: as it was frozen.
        people: the person's profile ids, the canonical one first.
        now: the shop's moment.
        rules: the shop's and the journey's.
        ahead: what was read about the person before; it gives the same.
        checked: what `check` said of the message, where it was asked before.
        written_for: whom it was rendered for just now; None where it was not.

    Raises:
        RecipientChanged: that person's address, name, language or zone is another by now.
    """
    entry: Any
    checked = checked or check(message)
    address = message.to_address
    if ahead is not None:
        entry, brake = ahead.standing[send.entry_id], ahead.braked[send.journey]
    else:
        entry = conn.execute(_STANDING, {"entry": send.entry_id, "person": people[0], "braked": send.journey}).one()
        brake = brakes.fact(entry.braked_journey, entry.braked_because)
    if rules.recipient_anew:
        checked = _to_whom(send, message, Recipient.of(entry.traits, entry.zone, entry.locale), checked, written_for)
    mailbox = mailbox_of(address) if rules.by_mailbox else None
    others = _others(conn, people, mailbox, ahead)
    if others and mailbox and rules.once_there and went_there(conn, mailbox, send.key, send.entry_id, COUNTED):
        checked = replace(checked, address="this broadcast went to this mailbox already, under another of its reader's ids")
    ended = entry.outcome or "ended" if entry.state != "running" or entry.outcome else None
    if send.attempts and ended in rules.ends:  # the entry came past this message, and left by nothing that forbids it
        ended = None
    listed = bool(address) and (ahead is None or address in ahead.on_list)
    word, topic = _words(conn, send, people, rules, ahead, address if listed else None)
    agreed_at = word.at if word is not None and word.granted and word.own else None  # a state outweighs no no
    zone = _zone(entry.zone) or rules.zone
    facts = GateFacts(
        now=now,
        purpose=send.purpose,
        zone=zone,
        ended=ended,
        sent_before=_sent_before(conn, send, people) if ahead is None else None,  # ahead is read of nobody who was merged
        consent=None if word is None else ConsentFact(word.id, word.granted, word.at, word.source, word.wording),
        consent_needed=rules.consent_needed,
        suppressed=rules.suppressed(conn, address, agreed_at) if listed else None,
        address_problem=checked.address,
        message_problem=checked.message,
        goal_met=entry.goal_at is not None,
        holdout=entry.holdout,
        topic=topic,
        brake=brake,
        hours=rules.hours,
        planned=send.created_at,
        jitter=jitter(send.key, rules.release_over),
    )
    return facts if facts.transactional else _chosen(conn, send, people, facts, rules, ahead, mailbox, others)


def _others(conn: Connection, people: Sequence[str], mailbox: str | None, ahead: Ahead | None) -> frozenset[str]:
    """Return the profiles of others whom anything was made for at a mailbox."""
    if mailbox is None:
        return frozenset()
    found = ahead.sharers if ahead is not None else sharers(conn, [mailbox])
    return found.get(mailbox, frozenset()) - frozenset(people)


def _to_whom(send: SendRow, message: Message, current: Recipient, checked: Checked, written_for: Recipient | None) -> Checked:
    """Return what is wrong with the message by itself, now that it is known where its person gets mail.

    Raises:
        RecipientChanged: it can be rendered anew, and has to be.
    """
    doubtful = send.state is State.UNKNOWN
    elsewhere = normalise(current.address) != normalise(message.to_address)  # which bears it as it stands on the wire
    if not doubtful and (elsewhere if written_for is None else current != written_for):
        raise RecipientChanged("the person's address, name, language or zone changed since the message was made; try again at once")
    if elsewhere:  # it may be out, and under its key would go there once more
        gone = "the person's address was changed or deleted since an attempt that may have been accepted"
        return replace(checked, address=gone)
    return checked


def _sent_before(conn: Connection, send: SendRow, people: Sequence[str]) -> str | None:
    """Return the key of the same message by an entry that was the person's too, before that was known."""
    if len(people) < 2:
        return None
    asked = {"people": list(people), "entry": send.entry_id, "journey": send.journey, "send": send.send_id}
    return conn.execute(_SENT_BY_ANOTHER, asked).scalar()


def _chosen(
    conn: Connection,
    send: SendRow,
    people: Sequence[str],
    facts: GateFacts,
    rules: GateRules,
    ahead: Ahead | None,
    mailbox: str | None,
    others: frozenset[str],
) -> GateFacts:
    """Return the facts with what bears only on messages that the shop wants, not those that the person needs."""
    now = facts.now
    waits = consent.pending(conn, people, send.purpose) if not (facts.consent and facts.consent.granted) else None
    choosing = [*people, *(living_at(conn, others, mailbox) if others and mailbox else ())]
    chose = ahead is None or len(choosing) > 1 or people[0] in ahead.choosing
    rhythm = (preferences.rhythm(conn, choosing) if chose else preferences.Rhythm()).at(now)
    caps = [cap for cap in rules.caps if cap.concerns(send.purpose, send.topic, send.journey)]
    if rhythm.frequency is Frequency.WEEKLY:
        caps.append(Cap(1, WEEK, wish=", as the person wishes,"))
    sent = ahead is None or bool(others) or people[0] in ahead.sent_to
    near = _near(conn, send, people, facts, rules, caps, mailbox, others) if sent else ()
    return replace(
        facts,
        unconfirmed=None if waits is None else waits.at,
        paused_until=rhythm.until if rhythm.frequency is Frequency.PAUSED else None,
        caps=[_use(cap, facts, near) for cap in caps],
        rivals=_rivals(conn, send, people, now, rules, near, ahead),
    )


def _words(
    conn: Connection, send: SendRow, people: Sequence[str], rules: GateRules, ahead: Ahead | None, listed: str | None
) -> tuple[Consent | None, TopicFact | None]:
    """Return the person's word about the purpose, and whether they want the topic; `listed` is an address that may have refused it."""
    if rules.topic is None:
        return ahead.word(people[0], send.purpose) if ahead is not None else consent.latest(conn, people, send.purpose), None
    about = topic_purpose(rules.topic.name)
    if ahead is not None:
        word, chosen = ahead.word(people[0], send.purpose), ahead.word(people[0], about)
    else:
        word, chosen = consent.latest_of_two(conn, people, send.purpose, about)
    chosen_at = chosen.at if chosen is not None and chosen.own and chosen.granted else None
    if listed is not None and rules.refused(conn, listed, about, chosen_at):
        return word, TopicFact(rules.topic.name, wanted=False, chosen=True)
    return word, TopicFact(rules.topic.name, rules.topic.default if chosen is None else chosen.granted, chosen is not None)


def _near(
    conn: Connection,
    send: SendRow,
    people: Sequence[str],
    facts: GateFacts,
    rules: GateRules,
    caps: Sequence[Cap],
    mailbox: str | None,
    others: frozenset[str],
) -> Sequence[Near]:
    if not caps and not rules.compete:
        return ()
    since = min([facts.now - rules.compete, *(cap.since(facts.now, facts.zone) for cap in caps)])
    return ledger.near(conn, people, since, besides=send.key, mailbox=mailbox, others=others)


def _use(cap: Cap, facts: GateFacts, near: Sequence[Near]) -> CapUse:
    since = cap.since(facts.now, facts.zone)
    counted = [
        other.claimed_at
        for other in near
        if other.state in COUNTED and other.claimed_at is not None and other.claimed_at > since
        and cap.concerns(other.purpose, other.topic, other.journey)
    ]  # fmt: skip
    return CapUse(cap.most, cap.window, len(counted), cap.named, cap.frees(facts.now, facts.zone, counted), cap.hold_up_to)


def _rivals(
    conn: Connection, send: SendRow, people: Sequence[str], now: datetime, rules: GateRules, near: Sequence[Near], ahead: Ahead | None
) -> list[Rival]:
    """Return the messages of other journeys that go first: of a higher priority, just sent or soon due, or about to be made."""
    if not rules.compete:
        return []
    found = []
    for other in near:
        due = other.held_until if other.state is State.HELD else other.claimed_at
        if other.priority > send.priority and other.entry_id != send.entry_id and due is not None and abs(due - now) < rules.compete:
            found.append(Rival(f"{other.journey}/{other.send_id}", other.priority, due + rules.compete, other.key))
    if rules.above and (ahead is None or people[0] in ahead.elsewhere):
        asked = {"people": list(people), "journeys": list(rules.above), "entry": send.entry_id, "since": now - FIRST_STEPS}
        for row in conn.execute(_NEWCOMERS, asked):
            found.append(Rival(f"{row.journey}, which has just begun", rules.above[row.journey], row.started_at + FIRST_STEPS))
    return found


def jitter(key: str, spread: timedelta) -> timedelta:
    """Return a message's place in the time over which a release is spread: the same each time it is asked, in whole seconds."""
    seconds = int(spread.total_seconds())
    return timedelta(seconds=crc32(key.encode()) % seconds) if seconds else timedelta()


def address_problem(address: str) -> str | None:
    """Return what is wrong with an address, without repeating it; None where mail can be written to it."""
    if not address:
        return "the profile has no e-mail address"
    try:
        return email_address.read(address).problem
    except email_address.NotAnAddress as error:
        return f"the profile's e-mail address is not one: {error}"


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None
