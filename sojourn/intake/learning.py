"""What one event tells of its person: traits, zone and locale, device and hour, and whether they have moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection

from sojourn.customers import consent, place, refused
from sojourn.customers.declared import Rules
from sojourn.customers.device import device_of
from sojourn.customers.normalise import NO_HINTS, Hints, country_of_zone
from sojourn.customers.tallies import DEVICE, HOUR, hour_key
from sojourn.customers.traits import Profile
from sojourn.delivery import machine
from sojourn.delivery.engagement import CLICKED, OPENED, Emit, Engagement
from sojourn.intake.envelope import Envelope
from sojourn.travel.listening import is_machine

_NAMESPACE = UUID("6f1c2b9a-4d0e-5b7c-9a51-6c6f63617465")
_PERSONAL = frozenset({OPENED, CLICKED})  # of what comes from inside, that which a person does
_DOINGS = frozenset({"track", "page", "screen"})


@dataclass
class Learnt:
    """What one event told.

    Attributes:
        envelope: the event.
        at: when it happened, and not after now.
        changed: the profile is another than before.
        refused: traits that were not taken, and why.
        moved: properties of `Location Changed`; empty where the person is where they were.
    """

    envelope: Envelope
    at: datetime
    changed: bool = False
    refused: list[tuple[str, str]] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)

    def refusals(self, profile_id: str, origin_id: str) -> Iterable[dict[str, Any]]:
        """Return the rows of `trait_refusals`, of a profile and of whom it was told of without any merge."""
        return (refused.row(profile_id, trait, why, self.envelope.message_id, self.at, origin_id) for trait, why in self.refused)


def learn(profile: Profile, envelope: Envelope, now: datetime, rules: Rules, *, is_new: bool) -> Learnt:
    """Take in what an event tells of the person.

    Args:
        profile: the person's; it changes.
        envelope: the event.
        now: the shop's moment; nothing is dated after it.
        rules: how words about people are taken.
        is_new: it was not absorbed before: only then it is counted, and told of.
    """
    at = min(envelope.time, now)
    learnt = Learnt(envelope, at, profile.see(at))
    traits, context = envelope.traits, envelope.context
    zone, locale = context.get("timezone") or _text(traits, "timezone"), context.get("locale") or _text(traits, "locale")
    tells_place = rules.place and (bool(traits) or "location" in context or (zone is not None and zone != profile.zone))
    before = profile.stand() if tells_place and is_new else None
    if traits or (rules.place and "location" in context):
        learnt.changed = _hear(profile, envelope, now - at, rules, learnt) or learnt.changed
    if zone or locale:
        learnt.changed = profile.place(zone, locale, at) or learnt.changed
    if is_new and (rules.device or rules.hour):
        learnt.changed = _count(profile, envelope, rules) or learnt.changed
    if learnt.changed:
        profile.settle(rules)
        if before is not None:
            learnt.moved = place.moved(before, profile.stand())
    return learnt


def tell_moves(connection: Connection, emit: Emit, learnt: Iterable[tuple[Learnt, str]]) -> None:
    """Append `Location Changed` for each event that told of a move; beside each stands its person's profile id."""
    for each, profile_id in learnt:
        if each.moved:
            cause = each.envelope
            emit(
                connection,
                Engagement(
                    message_id=str(uuid5(_NAMESPACE, cause.message_id)),
                    name=place.CHANGED,
                    time=each.at,
                    profile_id=profile_id,
                    user_id=cause.user_id,
                    anonymous_id=cause.anonymous_id,
                    properties=each.moved,
                ),
            )


def _hear(profile: Profile, envelope: Envelope, age: timedelta, rules: Rules, learnt: Learnt) -> bool:
    traits = envelope.traits
    if isinstance(traits.get(consent.CONSENT_TRAIT), dict):  # kept as consent, with its date and source
        traits = {name: value for name, value in traits.items() if name != consent.CONSENT_TRAIT}
    hints = NO_HINTS
    if rules.place or rules.declared:
        said = place.said(traits, envelope.context)
        if rules.place:
            traits = {**traits, **said.traits()}
        zone = envelope.context.get("timezone")
        hints = Hints(country=said.country or (country_of_zone(zone) if zone else None))
    taken = rules.take(traits, hints, age)
    learnt.refused = taken.refused
    return profile.hear(taken.values, learnt.at, rules)


def _count(profile: Profile, envelope: Envelope, rules: Rules) -> bool:
    """Count the event by its device and its hour, where a person did it."""
    if envelope.profile_id is not None:
        by_person = envelope.name in _PERSONAL and not is_machine(envelope.name, envelope.properties)
    else:
        by_person = envelope.kind in _DOINGS
    agent = envelope.context.get("userAgent")
    if not by_person or (agent and machine.by_agent(agent) is not None):
        return False
    device = device_of(agent) if agent and rules.device else None
    if device is not None:
        profile.count(DEVICE, device)
    if rules.hour:
        profile.count(HOUR, hour_key(envelope.time))
    return rules.hour or device is not None


def _text(traits: dict[str, Any], name: str) -> str | None:
    value = traits.get(name)
    return value if isinstance(value, str) else None
