"""What a row comes to where its person is new: worked out before the transaction, which others wait for, and in any process.

Of a row that says one thing at one moment, in a shop that keeps words as they were said, it is put together at once;
of every other by what intake itself learns people with. Both give the same; a test holds them to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from sojourn.bulk.columns import agreed, moment, place_of
from sojourn.bulk.policy import Policy
from sojourn.bulk.records import Dated, Origin, PersonRow, is_plain, person
from sojourn.customers import consent
from sojourn.customers.consent_standing import UNDATED
from sojourn.customers.identifying import Key, keys_of
from sojourn.customers.traits import Profile, as_zone
from sojourn.intake.learning import learn
from sojourn.language.identity_rules import ANONYMOUS, EMAIL, PHONE, USER, IdentityRules
from sojourn.store.types import to_micros

_PLAIN = frozenset({USER, ANONYMOUS, "time", "traits", "consent", "zone", "locale"})
_NOT_PLAIN_TRAITS = frozenset({consent.CONSENT_TRAIT, "timezone", "locale"})
_IDENTIFY = "identify"


class Prepared(NamedTuple):
    """A row, and what it comes to where its person is new, in the store's own values.

    Attributes:
        record: what it says.
        line: of the file, where it begins.
        position: among the rows of the file.
        keys: the identifiers that it says are one person's, each with when it was first said.
        contested: something of it can be refused, or is more than its own person's: intake itself must see to it.
        profile: the row of `profiles`.
        consents: the rows of `consents`.
        refused: the traits that are not taken.
    """

    record: dict[str, Any]
    line: int
    position: int
    keys: dict[Key, int]
    contested: bool
    profile: tuple[Any, ...]
    consents: list[tuple[Any, ...]]
    refused: tuple[str, ...] = ()


def prepare(record: dict[str, Any], line: int, position: int, origin: Origin, policy: Policy, new_id: Callable[[], str]) -> Prepared:
    """Return a row with what it comes to where its person is new.

    Args:
        record: what it says, by the fields of `mapping`.
        line: of the file, where it begins.
        position: among the rows of the file.
        origin: what all rows share.
        policy: how words about people are taken.
        new_id: gives the ids of new profiles.

    Raises:
        BadRow: a field is not what it should be.
    """
    if policy.as_said and record.keys() <= _PLAIN:
        found = _at_once(record, line, position, origin, policy, new_id)
        if found is not None:
            return found
    return _by_learning(record, line, position, origin, policy, new_id)


def _at_once(
    record: dict[str, Any], line: int, position: int, origin: Origin, policy: Policy, new_id: Callable[[], str]
) -> Prepared | None:
    """Return the same as `_by_learning`, of what is plainly said; None of all else."""
    identity, confirmed = policy.identity, policy.rules.confirmed
    user_id, anonymous_id, at = record.get(USER), record.get(ANONYMOUS), record.get("time")
    traits: dict[str, Any] = record.get("traits", {})
    if not (user_id or anonymous_id) or not is_plain(user_id) or not is_plain(anonymous_id) or not isinstance(at, str | None):
        return None
    if not _NOT_PLAIN_TRAITS.isdisjoint(traits):
        return None
    time = min(origin.as_of if at is None else moment(at, "time"), origin.now)
    micros, id_ = to_micros(time), new_id()
    times: dict[str, Any] = {}
    agreements: list[tuple[Any, ...]] = []
    given = record.get("consent")
    if given:
        because_of = origin.message_id(position)
        for purpose, value in given.items():
            yes = agreed(purpose, value)
            if purpose:
                undated = yes and not (at or origin.dated)
                said = consent.Said(purpose, yes, _IDENTIFY, stream=UNDATED if undated else consent.IMPORT)
                waits = yes and not undated and purpose in confirmed
                agreements.append(_consent(consent.consent_row(id_, said, time, because_of, pending=waits)))
    if traits or given:
        times["traits"] = dict.fromkeys(traits, micros)
    zone = locale = None
    context: Mapping[str, Any] = {}
    if "zone" in record or "locale" in record:
        context = place_of(record)
        if named := context.get("timezone"):
            zone, times["zone"] = as_zone(named), micros
        if locale := context.get("locale"):
            times["locale"] = micros
    keys: dict[Key, int] = {}
    if user_id is not None:
        keys[USER, user_id] = micros
    if anonymous_id is not None:
        keys[ANONYMOUS, anonymous_id] = micros
    if EMAIL in traits or PHONE in traits:
        keys.update(dict.fromkeys(keys_of(_IDENTIFY, traits, context), micros))
    contested = False
    for kind, value in keys:
        if identity.blocks(kind, value) or not identity.rule(kind).merges:
            contested = True
    standing = {name: value for name, value in traits.items() if value is not None} if None in traits.values() else traits
    profile = (id_, _json(standing), _json(times), zone, locale, micros, micros)
    return Prepared(record, line, position, keys, contested, profile, agreements)


def _by_learning(record: dict[str, Any], line: int, position: int, origin: Origin, policy: Policy, new_id: Callable[[], str]) -> Prepared:
    row = person(record, line, position, origin)
    first = row.calls[0].time
    profile = Profile(new_id(), first, first)
    said: list[dict[str, Any]] = []
    refused: dict[str, None] = {}
    for call in row.calls:
        refused.update(dict.fromkeys(trait for trait, _ in learn(profile, call, origin.now, policy.rules, is_new=True).refused))
        if consent.CONSENT_TRAIT in call.traits or "consent" in call.context:
            words = consent.said_by(call.kind, call.name, call.traits, call.properties, call.context, call.anonymous_id)
            for one in words:
                waits = one.granted and one.purpose in policy.rules.confirmed and one.stream != UNDATED
                said.append(consent.consent_row(profile.id, one, call.time, call.message_id, pending=waits))
    said += [dated_row(profile.id, row, dated, policy.rules.confirmed) for dated in row.consents]
    values = (
        profile.id, _json(profile.traits), _json(profile.times), profile.zone, profile.locale,
        to_micros(profile.first_seen), to_micros(profile.last_seen),
    )  # fmt: skip
    keys = named_by(row)
    aliased = any(call.kind == "alias" for call in row.calls)
    contested = bool(refused) or bool(profile.tallies) or aliased or _contested(keys, policy.identity)
    micros = {key: to_micros(since) for key, since in keys.items()}
    return Prepared(record, line, position, micros, contested, values, [_consent(one) for one in said], tuple(refused))


def named_by(row: PersonRow) -> dict[Key, datetime]:
    """Return the identifiers that a row says are one person's, each with since when."""
    found: dict[Key, datetime] = {}
    for call in row.calls:
        if call.user_id is not None:
            found.setdefault((USER, call.user_id), call.time)
        if call.anonymous_id is not None:
            found.setdefault((ANONYMOUS, call.anonymous_id), call.time)
        if call.kind == "alias" and call.previous_id is not None:
            found.setdefault((USER, call.previous_id), call.time)
            found.setdefault((ANONYMOUS, call.previous_id), call.time)
        for key in call.keys:
            found[key] = min(found.get(key, call.time), call.time)
    return found


def _contested(keys: Mapping[Key, datetime], identity: IdentityRules) -> bool:
    many = Counter(kind for kind, _ in keys)
    if many[ANONYMOUS] > 1 and not many[USER]:
        return True  # two people until something joins them
    if any(count > identity.rule(kind).limit or not identity.rule(kind).merges for kind, count in many.items()):
        return True
    return any(identity.blocks(kind, value) for kind, value in keys)


def dated_row(profile_id: str, row: PersonRow, dated: Dated, confirmed: frozenset[str]) -> dict[str, Any]:
    """Return the row of a consent that bears a date of its own; a state's yes to one of `confirmed` is none before it is confirmed."""
    said = dated.said
    waits = said.granted and not said.own and said.purpose in confirmed
    kept = consent.consent_row(profile_id, said, dated.at, f"{row.calls[0].message_id}:{dated.at.isoformat()}", pending=waits)
    if dated.until is not None:
        kept["again_at"] = dated.until
    return kept if dated.id is None else {**kept, "id": dated.id}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _consent(row: dict[str, Any]) -> tuple[Any, ...]:
    until = row["again_at"]
    return (
        row["id"], row["profile_id"], row["purpose"], row["granted"], row["wording"], row["source"], to_micros(row["at"]),
        row["own"], row["pending"], row["stream"], None if until is None else to_micros(until),
    )  # fmt: skip
