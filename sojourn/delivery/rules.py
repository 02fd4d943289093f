"""What the shop and a journey ask of every message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from sojourn.customers import suppression
from sojourn.delivery.gate import UTC_ZONE, NamedHours
from sojourn.language.durations import parse_duration
from sojourn.language.model import Journey
from sojourn.language.moments import Hours, zone_named
from sojourn.language.shop import ShopSettings

Suppression = Callable[[Connection, str, datetime | None], str | None]
"""Tells why an address whose owner agreed at a moment gets nothing; None where it may."""


def nothing_suppressed(_conn: Connection, _address: str, _agreed_at: datetime | None) -> str | None:
    """Return None: a shop that keeps no suppression list."""
    return None


@dataclass(frozen=True)
class Cap:
    """At most so many messages in a rolling window; of one purpose, or of all but transactional ones."""

    most: int
    window: timedelta
    purpose: str | None = None


@dataclass(frozen=True)
class GateRules:
    """What the gate holds every message of a journey to.

    Attributes:
        consent_needed: whether silence about the purpose is a no.
        zone: the shop's, for people whose own is not known.
        hours: hours that must all be open.
        caps: how many messages a person may get.
        suppressed: tells why an address gets nothing.
    """

    consent_needed: bool = True
    zone: ZoneInfo = UTC_ZONE
    hours: Sequence[NamedHours] = ()
    caps: Sequence[Cap] = ()
    suppressed: Suppression = nothing_suppressed


def rules_of(shop: ShopSettings, journey: Journey, secret: str) -> GateRules:
    """Return the rules for a journey's messages.

    Args:
        shop: the shop's settings.
        journey: the version that the entry stands on.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
    """
    hours = []
    if shop.quiet_hours is not None:
        hours.append(NamedHours(f"the shop's quiet hours {shop.quiet_hours}", Hours.parse(shop.quiet_hours).complement()))
    if journey.send_between is not None:
        hours.append(NamedHours(f"outside of send_between {journey.send_between}", Hours.parse(journey.send_between)))
    return GateRules(
        consent_needed=shop.needs_consent(journey.purpose),
        zone=zone_named(shop.zone),
        hours=tuple(hours),
        caps=tuple(Cap(cap.max, parse_duration(cap.within), cap.purpose) for cap in shop.caps),
        suppressed=lambda conn, address, agreed_at: suppression.suppressed(conn, secret, address, agreed_at),
    )
