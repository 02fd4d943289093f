"""What a row says: the identify or track calls that would have said the same through intake.

A row of people is one identify at the row's own time (`time`, else `last_seen`, else the import's). A
row that dates its parts (an export does: `trait_times`, `identifiers` with `since`, `consents` with
`at`) is one identify for each moment. Ids of a CRM are the call's `context.externalIds`; so are the e-mail
address and the phone number of a row that names nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from sojourn.bulk.columns import agreed, moment, place_of
from sojourn.bulk.problems import BadRow
from sojourn.customers import consent
from sojourn.customers.identifying import EXTERNAL_IDS, MAX_EXTERNAL_IDS, NOBODYS, keys_of
from sojourn.errors import BadEvent
from sojourn.intake.envelope import KINDS, MAX_EVENT_BYTES, MAX_ID, Envelope, read_event
from sojourn.intake.strict import fault
from sojourn.language.identity_rules import ANONYMOUS, EMAIL, PHONE, USER, is_nothing

_DATED = frozenset({"trait_times", "zone_time", "locale_time", "first_seen", "last_seen", "identifiers", "consents"})
_PROFILE_CALL = {USER: "userId", ANONYMOUS: "anonymousId"}
_ORDER = {USER: 0, ANONYMOUS: 1}
EXTERNAL = "external_ids"
MAX_STREAM = 64
Pair = tuple[str, str]


def _named(*pairs: Pair) -> dict[str, Any]:
    """Return the part of a call that names identifiers, of each kind of name at most one but of external ids."""
    call: dict[str, Any] = {_PROFILE_CALL[kind]: value for kind, value in pairs if kind in _PROFILE_CALL}
    others = [{"type": kind, "id": value} for kind, value in dict.fromkeys(pairs) if kind not in _PROFILE_CALL]
    return {**call, "context": {EXTERNAL_IDS: others}} if others else call


@dataclass(frozen=True)
class Dated:
    """A consent with its own date and source."""

    said: consent.Said
    at: datetime
    id: str | None
    until: datetime | None = None  # of what was repeated


@dataclass(slots=True)
class PersonRow:
    """What a row says of a person.

    Attributes:
        line: of the file.
        calls: the identify and alias calls that say the same; the first tells whose it is.
        consents: those that bear a date of their own.
    """

    line: int
    calls: list[Envelope]
    consents: list[Dated] = field(default_factory=list)


@dataclass(frozen=True)
class Origin:
    """What all rows of a file share.

    Attributes:
        content: the SHA-256 of the file: rows without an id of their own get one from it and their position.
        as_of: the moment of rows that bear none.
        now: the shop's present moment; nothing is later.
        dated: whether `as_of` is what someone said; else the moment of the import, at which nobody said anything.
    """

    content: str
    as_of: datetime
    now: datetime
    dated: bool = False

    def message_id(self, position: int, part: int = 0) -> str:
        """Return the id of a row's call, the same however often the file is read."""
        return f"import-{self.content[:32]}-{position}" + (f"-{part}" if part else "")


def checked(values: Mapping[str, Any], regular: bool) -> None:
    """Refuse values that intake would refuse in an event: a NUL, a half surrogate, NaN, too much.

    Raises:
        BadRow: it does.
    """
    if not regular and (found := fault(values)):
        raise BadRow(found)


def person(record: dict[str, Any], line: int, position: int, origin: Origin) -> PersonRow:
    """Return what a record says of a person.

    Raises:
        BadRow: a field is not what it should be.
    """
    if not _DATED.isdisjoint(record):
        return _Parts(record, line, position, origin).row()
    traits = traits_of(record) if "consent" in record else record.get("traits", {})
    context = place_of(record) if "zone" in record or "locale" in record else {}
    if named := _external_ids(record, traits):
        context[EXTERNAL_IDS] = named
    imported = _column(bool(record.get("time")) or origin.dated) if "consent" in record else {}
    user_id, anonymous_id, message_id = record.get(USER), record.get(ANONYMOUS), origin.message_id(position)
    at = record.get("time")
    if not named and is_plain(user_id) and is_plain(anonymous_id) and (user_id or anonymous_id) and isinstance(at, str | None):
        time = min(origin.as_of if at is None else moment(at, "time"), origin.now)
        envelope = Envelope(
            message_id=message_id, kind="identify", name="identify", user_id=user_id, anonymous_id=anonymous_id,
            traits=traits, context={**context, **imported}, keys=keys_of("identify", traits, context), time=time, received_at=origin.now,
        )  # fmt: skip
        return PersonRow(line, [envelope])
    call = {**_call(record, origin, position), "messageId": message_id, "traits": traits, "context": context}
    return PersonRow(line, [_envelope(call, "identify", origin, imported)])


def _column(dated: bool) -> dict[str, Any]:
    """Return what the context of a call says that a column of consent made."""
    return {consent.IMPORTED: {"column": True, "dated": dated}}


def _external_ids(record: Mapping[str, Any], traits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a row is known by beside its user id and anonymous id, as `context.externalIds` says it.

    Raises:
        BadRow: it is neither `{"stripe_id": "cus_1"}` nor a list of `{"type": …, "id": …}`.
    """
    given, found = record.get(EXTERNAL), []
    if isinstance(given, Mapping):
        for kind, values in given.items():
            found += [{"type": kind, "id": value} for value in (values if isinstance(values, list) else [values]) if value is not None]
    elif isinstance(given, list) and all(isinstance(one, Mapping) for one in given):
        found = [dict(one) for one in given]
    elif given is not None:
        raise BadRow('external_ids must be an object, such as {"stripe_id": "cus_1"}, or a list of objects with "type" and "id"')
    if any(isinstance(one.get("id"), bool) or not isinstance(one.get("id"), str | int) for one in found):
        raise BadRow("an external id must be text")
    if len(found) > MAX_EXTERNAL_IDS:
        raise BadRow(f"a row has at most {MAX_EXTERNAL_IDS} external ids")
    if not found and not record.get(USER) and not record.get(ANONYMOUS):
        found = [{"type": kind, "id": traits[kind]} for kind in (EMAIL, PHONE) if isinstance(traits.get(kind), str)]
    return found


def is_plain(value: Any) -> bool:
    """Tell whether intake would take an id as it stands: then its reader, which mends others, need not be asked."""
    if value is None:
        return True
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        return False
    return not value[0].isspace() and not value[-1].isspace() and not is_nothing(value)


def event(record: dict[str, Any], position: int, origin: Origin) -> Envelope:
    """Return the event that a record tells.

    Raises:
        BadRow: a field is not what it should be.
    """
    kind = record.get("type", "track")
    if kind not in KINDS:
        raise BadRow(f"type must be one of {', '.join(KINDS)}")
    call = _call(record, origin, position)
    call["messageId"] = record.get("message_id") or origin.message_id(position)
    named = _external_ids(record, {})
    for name in ("event", "properties", "traits", "context"):
        if name in record:
            call[name] = record[name]
    if named:
        context = call.setdefault("context", {})
        if not isinstance(context, Mapping):
            raise BadRow("context must be a JSON object")
        beside = context.get(EXTERNAL_IDS)
        call["context"] = {**context, EXTERNAL_IDS: [*named, *(beside if isinstance(beside, list) else ())]}
    dated = bool(record.get("time")) or origin.dated
    return _envelope(call, kind, origin, {} if dated else {consent.IMPORTED: {"dated": False}})


def _call(record: Mapping[str, Any], origin: Origin, position: int) -> dict[str, Any]:
    call: dict[str, Any] = {}
    for name, theirs in _PROFILE_CALL.items():
        if name in record:
            call[theirs] = record[name]
    call["timestamp"] = record.get("time") or origin.as_of.isoformat()
    return call


def _envelope(call: dict[str, Any], kind: str, origin: Origin, imported: Mapping[str, Any]) -> Envelope:
    try:
        envelope = read_event(call, kind, received_at=origin.now)
    except BadEvent as error:
        raise BadRow(_in_our_words(str(error))) from None
    keys = keys_of(envelope.kind, envelope.traits, envelope.context)
    found: dict[str, Any] = {"keys": keys} if keys else {}
    if imported:
        found["context"] = {**envelope.context, **imported}
    return envelope.model_copy(update=found) if found else envelope


def _in_our_words(reason: str) -> str:
    """Return intake's reason with the names of columns."""
    for theirs, ours in (
        ("context.externalIds", EXTERNAL),
        ("userId", USER),
        ("anonymousId", ANONYMOUS),
        ("timestamp", "time"),
        ("messageId", "message_id"),
    ):
        reason = reason.replace(theirs, ours)
    return reason


def traits_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row's traits, its consents among them as an identify says them.

    Raises:
        BadRow: a consent is none.
    """
    traits = dict(record.get("traits", ()))
    given = record.get("consent")
    if given:
        traits[consent.CONSENT_TRAIT] = {purpose: agreed(purpose, value) for purpose, value in given.items()}
    return traits


class _Parts:
    """A row that dates its parts."""

    def __init__(self, record: dict[str, Any], line: int, position: int, origin: Origin) -> None:
        self.record, self.line, self.position, self.origin = record, line, position, origin
        self.calls: list[Envelope] = []
        self._bridge: Pair | None = None  # joins two anonymous ids
        base = record.get("time") or record.get("last_seen")
        self.at = moment(base, "time") if base is not None else origin.as_of
        times = record.get("trait_times")
        said = isinstance(times, Mapping) and consent.CONSENT_TRAIT in times
        self._dated = said or bool(record.get("time")) or origin.dated  # when a person was last seen says nothing of it

    def row(self) -> PersonRow:
        ids = sorted(self._ids(), key=lambda one: _ORDER.get(one[0], len(_ORDER)))
        if not ids:
            raise BadRow(f"needs a {USER}, an {ANONYMOUS}, or another of identifiers and {EXTERNAL}")
        main = ids[0][:2]
        self._bridge = next((one[:2] for one in ids if one[0] not in _PROFILE_CALL), None)
        # Whom it is first; what joins two anonymous ids before the second of them.
        for kind, value, since in sorted(ids, key=lambda one: (one[:2] != main, one[0] == ANONYMOUS)):
            self._identifier(main, kind, value, since)
        for at, said in sorted(self._said().items()):
            context = said.setdefault("context", {})
            call = _named(main)
            self._add("identify", at, {**call, **said, "context": {**context, **call.get("context", {})}})
        return PersonRow(self.line, self.calls, self._consents())

    def _add(self, kind: str, at: datetime, call: dict[str, Any]) -> None:
        call["messageId"] = self.origin.message_id(self.position, len(self.calls))
        call["timestamp"] = at.isoformat()
        imported = _column(self._dated) if consent.CONSENT_TRAIT in call.get("traits", {}) else {}
        self.calls.append(_envelope(call, kind, self.origin, imported))

    # -- whose it is ----------------------------------------------------------------------------

    def _ids(self) -> list[tuple[str, str, datetime]]:
        found: dict[tuple[str, str], datetime] = {}
        for one in self.record.get("identifiers", ()):
            if not isinstance(one, Mapping) or not {"kind", "value"} <= one.keys() <= {"kind", "value", "since", "shared"}:
                raise BadRow('each of identifiers must be an object with "kind", "value" and "since"')
            kind, value = one["kind"], one["value"]
            if not isinstance(kind, str) or not isinstance(value, str) or not value:
                raise BadRow("kind and value of an identifier must be text")
            if one.get("shared"):
                continue  # it tells nobody apart
            kind = kind.removeprefix(NOBODYS)
            if is_nothing(value):
                continue  # it names nobody
            found[kind, value] = moment(one["since"], "since") if one.get("since") is not None else self.at
        for kind in (USER, ANONYMOUS):
            value = self.record.get(kind)
            if value is not None:
                value = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
                if not isinstance(value, str):
                    raise BadRow(f"{kind} must be text")
                if not is_nothing(value):
                    found.setdefault((kind, value), self.at)
        for one in _external_ids(self.record, self.record.get("traits", {}) if not found else {}):
            found.setdefault((str(one.get("type")), str(one["id"])), self.at)
        return [(kind, value, since) for (kind, value), since in found.items()]

    def _identifier(self, main: Pair, kind: str, value: str, since: datetime) -> None:
        """Say that an identifier is the person's, by the call that says the same."""
        if kind == USER and main != (kind, value):
            self._add("alias", since, {**_named(main), "previousId": value})
        elif kind == ANONYMOUS == main[0] and main[1] != value:
            if self._bridge is None:
                raise BadRow("two anonymous ids and nothing else: nothing says that they are one person's")
            self._add("identify", since, _named((kind, value), self._bridge))
        else:
            self._add("identify", since, _named(main, (kind, value)))

    # -- what it says ---------------------------------------------------------------------------

    def _said(self) -> dict[datetime, dict[str, Any]]:
        said: dict[datetime, dict[str, Any]] = {}
        times = self.record.get("trait_times", {})
        traits: dict[str, Any] = {**dict.fromkeys(times), **traits_of(self.record)}  # a trait with a time and no value was removed then
        for name, value in traits.items():
            at = moment(times[name], f"the time of trait {name!r}") if name in times else self.at
            said.setdefault(at, {}).setdefault("traits", {})[name] = value
        place = place_of(self.record)
        for name, dated in (("timezone", "zone_time"), ("locale", "locale_time")):
            if name in place:
                at = moment(self.record[dated], dated) if dated in self.record else self.at
                said.setdefault(at, {}).setdefault("context", {})[name] = place[name]
        for name in ("first_seen", "last_seen"):
            if name in self.record:
                said.setdefault(moment(self.record[name], name), {})
        return said

    def _consents(self) -> list[Dated]:
        return [_dated(one) for one in self.record.get("consents", ())]


def _dated(one: Any) -> Dated:
    keys = {"id", "purpose", "granted", "at", "source", "wording", "own", "stream", "again_at"}
    if not isinstance(one, Mapping) or not {"purpose", "granted", "at"} <= one.keys() <= keys:
        raise BadRow('each of consents must be an object with "purpose", "granted", "at", and may have "source", "wording" and "id"')
    purpose, wording, source, id_ = one["purpose"], one.get("wording"), one.get("source") or "import", one.get("id")
    if not isinstance(purpose, str) or not purpose or not isinstance(source, str) or not isinstance(wording, str | None):
        raise BadRow("purpose, source and wording of a consent must be text")
    if wording is not None and len(wording) > consent.MAX_WORDING:
        raise BadRow(f"the wording of a consent is the name of a version, of at most {consent.MAX_WORDING} characters")
    if id_ is not None and not _is_uuid(id_):
        raise BadRow("the id of a consent is a UUID that an export wrote; leave it out")
    own, stream, until = one.get("own"), one.get("stream"), one.get("again_at")
    if not isinstance(own, bool | None) or not isinstance(stream, str | None) or (stream is not None and len(stream) > MAX_STREAM):
        raise BadRow("own of a consent must be true or false, and stream what an export wrote; leave them out")
    granted = agreed(purpose, one["granted"])
    if own is None:  # a yes is the reader's own where it names the words that were agreed to; a no is, unless a site repeated it
        own = wording is not None if granted else source not in consent.STATES
    said = consent.Said(purpose, granted, source[: consent.MAX_SOURCE], wording, own=own, stream=stream)
    return Dated(said, moment(one["at"], "at"), id_, None if until is None else moment(until, "again_at"))


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def too_large(record: Mapping[str, Any]) -> bool:
    """Tell whether a record says more than intake takes in one event."""
    return len(orjson.dumps(record, default=str)) > MAX_EVENT_BYTES
