"""What the shop and a journey ask of every message."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from sojourn.customers import suppression
from sojourn.delivery.gate import UTC_ZONE, NamedHours
from sojourn.delivery.ledger import State
from sojourn.language.broadcast_model import TRIGGER
from sojourn.language.durations import format_duration, parse_duration
from sojourn.language.model import End, Journey
from sojourn.language.moments import Hours, calendar_span, zone_named
from sojourn.language.outline import COMPLETED, walk
from sojourn.language.shop import MAILBOX, ShopSettings
from sojourn.language.shop import Cap as CapRule
from sojourn.language.shop_checks import HOLD

Suppression = Callable[[Connection, str, datetime | None], str | None]
"""Tells why an address whose owner agreed at a moment gets nothing; None where it may."""

Refused = Callable[[Connection, str, str, datetime | None], bool]
"""Tells whether whoever bore an address said no to a purpose after its owner agreed at a moment."""

_JUST_BEFORE = timedelta(microseconds=1)  # a window is open at its beginning; a calendar day is not


OnList = Callable[[Connection, Collection[str]], Collection[str]]
"""Returns of which addresses anything is to be asked that is suppressed; it may return more."""


def all_of_them(_conn: Connection, addresses: Collection[str]) -> Collection[str]:
    """Return the addresses: each is to be asked about."""
    return addresses


def nothing_suppressed(_conn: Connection, _address: str, _agreed_at: datetime | None) -> str | None:
    """Return None: a shop that keeps no suppression list."""
    return None


def nothing_refused(_conn: Connection, _address: str, _purpose: str, _agreed_at: datetime | None) -> bool:
    """Return False: a shop that keeps no suppression list."""
    return False


@dataclass(frozen=True)
class Cap:
    """At most so many messages in a window.

    Attributes:
        most: how many.
        window: how long a rolling window is.
        purpose: only messages of this one; None for all but transactional ones.
        topic: only messages of this one.
        journey: only messages of this one.
        per: a calendar window instead: day, week or month.
        hold_up_to: how long a message waits for room; None: it does not.
        wish: whose it is, where it is not the shop's.
    """

    most: int
    window: timedelta = timedelta()
    purpose: str | None = None
    topic: str | None = None
    journey: str | None = None
    per: str | None = None
    hold_up_to: timedelta | None = None
    wish: str = ""

    def concerns(self, purpose: str, topic: str | None, journey: str) -> bool:
        """Tell whether a message counts against it, and so waits for it."""
        return self.purpose in (None, purpose) and self.topic in (None, topic) and self.journey in (None, journey)

    def since(self, now: datetime, zone: ZoneInfo) -> datetime:
        """Return after which moment messages count."""
        return now - self.window if self.per is None else calendar_span(self.per, now, zone)[0] - _JUST_BEFORE

    def frees(self, now: datetime, zone: ZoneInfo, counted: Sequence[datetime]) -> datetime | None:
        """Return when there is room again.

        Args:
            now: the shop's moment.
            zone: whose calendar it is.
            counted: when the messages that count were sent, the latest first.
        """
        if len(counted) < self.most:
            return None
        return counted[self.most - 1] + self.window if self.per is None else calendar_span(self.per, now, zone)[1]

    @property
    def named(self) -> str:
        """What it is called in a because."""
        of = next((f" of {name}" for name in (self.topic, self.journey, self.purpose) if name), "")
        window = f"in {format_duration(self.window)}" if self.per is None else f"in this calendar {self.per}"
        return f"{of} {window}{self.wish}".strip()


@dataclass(frozen=True)
class TopicRule:
    """A topic, and whether those get it who have not chosen."""

    name: str
    default: bool = True


@dataclass(frozen=True)
class GateRules:
    """What the gate holds every message of a journey to.

    Attributes:
        consent_needed: whether silence about the purpose is a no.
        zone: the shop's, for people whose own is not known.
        hours: hours that must all be open.
        caps: how many messages a person may get.
        suppressed: tells why an address gets nothing.
        refused: tells whether an address refused a topic.
        on_list: tells of which addresses these are to be asked.
        confirmed: whether a consent counts only once it was confirmed.
        topic: what the message is about.
        compete: within which time messages of other journeys go first, where their priority is higher.
        above: journeys of a higher priority, each with it.
        release_over: over which time it is spread what waited for hours to open.
        ends: the outcomes of entries that walked to their end, which keeps nothing back that they came to on the way.
        by_mailbox: whether what others got at the same address counts too.
        once_there: whether a mailbox gets what began the entry once, whoever's it is: a broadcast.
        recipient_anew: whether a message goes only to the address that the person has at the claim.
    """

    consent_needed: bool = True
    zone: ZoneInfo = UTC_ZONE
    hours: Sequence[NamedHours] = ()
    caps: Sequence[Cap] = ()
    suppressed: Suppression = nothing_suppressed
    refused: Refused = nothing_refused
    on_list: OnList = all_of_them
    confirmed: bool = False
    topic: TopicRule | None = None
    compete: timedelta = timedelta()
    above: Mapping[str, int] = field(default_factory=dict)
    release_over: timedelta = timedelta()
    ends: Collection[str] = frozenset()
    recipient_anew: bool = False
    by_mailbox: bool = False
    once_there: bool = False


def rules_of(
    shop: ShopSettings, journey: Journey, secret: str, topic: str | None = None, priorities: Mapping[str, int] | None = None
) -> GateRules:
    """Return the rules for a journey's messages.

    Args:
        shop: the shop's settings.
        journey: the version that the entry stands on.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        topic: the send's own, where it has one.
        priorities: of all journeys that let people in.
    """
    hours = []
    if shop.quiet_hours is not None:
        hours.append(NamedHours(f"the shop's quiet hours {shop.quiet_hours}", Hours.parse(shop.quiet_hours).complement()))
    if journey.send_between is not None:
        hours.append(NamedHours(f"outside of send_between {journey.send_between}", Hours.parse(journey.send_between), own=True))
    about = topic or journey.topic
    known = shop.topics.get(about) if about is not None else None
    rule = shop.consent.get(journey.purpose)
    return GateRules(
        consent_needed=shop.needs_consent(journey.purpose),
        zone=zone_named(shop.zone),
        hours=tuple(hours),
        caps=tuple(_cap(cap, journey) for cap in shop.caps),
        suppressed=lambda conn, address, agreed_at: suppression.suppressed(conn, secret, address, agreed_at, journey.purpose),
        refused=lambda conn, address, purpose, agreed_at: suppression.refused(conn, secret, address, purpose, agreed_at),
        on_list=lambda conn, addresses: suppression.on_list(conn, secret, addresses),
        confirmed=rule is not None and rule.double_opt_in,
        topic=None if about is None else TopicRule(about, known is None or known.default == "in"),
        compete=parse_duration(shop.compete_within),
        above={name: priority for name, priority in (priorities or {}).items() if priority > journey.priority},
        release_over=parse_duration(shop.release_over),
        ends=_ends(journey),
        recipient_anew=True,
        by_mailbox=shop.count_by == MAILBOX,
        once_there=shop.count_by == MAILBOX and journey.enter.on == TRIGGER,
    )


def _ends(journey: Journey) -> frozenset[str]:
    """Return the outcomes that say of an entry that it walked to its end, and nothing made it leave."""
    ends = {COMPLETED, *(step.end for _, step in walk(journey) if isinstance(step, End))}
    if journey.enter.on == TRIGGER:  # a broadcast's entry ends as its one message stands
        ends |= {state.value for state in State}
    return frozenset(ends - {leave.as_ for leave in journey.leave})


def _cap(cap: CapRule, journey: Journey) -> Cap:
    when = journey.when_capped or cap.when_capped
    return Cap(
        cap.max,
        timedelta() if cap.within is None else parse_duration(cap.within),
        cap.purpose,
        cap.topic,
        cap.journey,
        cap.per,
        parse_duration(when.removeprefix(HOLD)) if when.startswith(HOLD) else None,
    )
