"""An event as it arrived: what every client library's call is read into.

A call that cannot be read at all is refused; an event that cannot be taken is set aside with its
reason, and its good neighbours go on. (A refusal makes some clients drop a whole batch in silence.)
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sojourn.customers.identifying import EXTERNAL_IDS, Key, external_ids, region_of
from sojourn.errors import BadEvent, Terminal
from sojourn.intake.strict import fault, read_json
from sojourn.language.events.schemas import EventSchemas
from sojourn.language.events.wording import Fault
from sojourn.language.identity_rules import is_nothing
from sojourn.metrics import metrics

Kind = Literal["track", "identify", "page", "screen", "group", "alias"]
KINDS: dict[str, Kind] = {kind: kind for kind in ("track", "identify", "page", "screen", "group", "alias")}
CALLS = {**{kind: kind for kind in KINDS}, **{kind[0]: kind for kind in KINDS}, "batch": "batch", "b": "batch"}

CLOCKS_DIFFER = timedelta(minutes=10)  # by so much a sender's clock may be ahead and nothing is said
IN_FUTURE = Fault("timestamp", "lies in the future; the event was taken as of when it came")
MAX_EVENT_BYTES = 32 * 1024
MAX_CALL_BYTES = 500 * 1024
MAX_ID = 255
MAX_NAME = 200
MAX_LOCALE = 35
MAX_ZONE = 64
MAX_AGENT = 512
MAX_PLACE = 100
PLACE = ("city", "region", "country")


class UnreadableCall(Terminal):
    """A call whose body as a whole cannot be understood; the message says what was expected."""


class Envelope(BaseModel):
    """One event, read, checked and put in shop time."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    kind: Kind
    name: str  # a track's event; of the others, their kind
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None  # of an alias
    profile_id: str | None = None  # of an event from inside; no call from outside can set it
    traits: dict[str, Any] = Field(default_factory=dict)  # of an identify
    properties: dict[str, Any] = Field(default_factory=dict)
    # What is used of it: locale, timezone, userAgent, location, consent, externalIds.
    context: dict[str, Any] = Field(default_factory=dict)
    keys: tuple[Key, ...] = Field(default=(), exclude=True)  # as the log keeps them beside the body; sojourn.customers.identifying
    time: AwareDatetime
    received_at: AwareDatetime
    faults: tuple[Fault, ...] = Field(default=(), exclude=True)  # what its definition finds wrong; kept beside the log, not in it


@dataclass(frozen=True)
class Quarantined:
    """An event that cannot be taken, kept with the reason.

    Attributes:
        envelope: where it could be read and only its definition refuses it: what is taken in once that is mended.
    """

    message_id: str | None
    reason: str
    body: str
    received_at: datetime
    envelope: Envelope | None = None


class NotAsDeclared(BadEvent):
    """An event that its definition sets aside."""

    def __init__(self, reason: str, envelope: Envelope) -> None:
        super().__init__(reason)
        self.envelope = envelope


@dataclass
class Call:
    """What a call holds."""

    envelopes: list[Envelope] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    write_key: str | None = None  # where the body carries it


def read_call(call: str, body: bytes, *, received_at: datetime, schemas: EventSchemas | None = None) -> Call:
    """Return the events that a call to `/v1/{call}` holds.

    Args:
        call: `track`, `batch`, … or a short form (`t`, `b`, …); a key of CALLS.
        body: the JSON, already decompressed.
        received_at: the shop's moment.
        schemas: what is declared of events; None asks nothing of them.

    Raises:
        UnreadableCall: the body as a whole cannot be understood.
    """
    kind = CALLS[call]
    try:
        content, regular = read_json(body)
    except BadEvent as error:
        return Call(quarantined=[Quarantined(None, str(error), body.decode(errors="replace"), received_at)])
    except ValueError:
        raise UnreadableCall("the body is not JSON; send one JSON object in UTF-8") from None
    if not isinstance(content, dict):
        raise UnreadableCall('the body is not a JSON object; send one, such as {"userId": …, "event": …}')
    write_key = content.get("writeKey")
    result = Call(write_key=write_key if isinstance(write_key, str) else None)
    if len(body) > MAX_CALL_BYTES:
        reason = f"a call of {len(body)} bytes; at most {MAX_CALL_BYTES} are taken: send smaller batches"
        result.quarantined.append(Quarantined(None, reason, body.decode(errors="replace"), received_at))
        return result
    if kind != "batch":
        _read_event(content, kind, content, regular, len(body), received_at, schemas, result)
        return result
    events = content.get("batch")
    if not isinstance(events, list):
        raise UnreadableCall('a batch needs its events in a list under "batch"')
    for raw in events:
        _read_event(raw, None, content, regular, len(body), received_at, schemas, result)
    return result


def read_event(raw: dict[str, Any], kind: str, *, received_at: datetime) -> Envelope:
    """Return one event, read as intake reads it; the caller has seen to `fault` and its size.

    Args:
        raw: the call, under Segment's names.
        kind: one of KINDS.
        received_at: the shop's moment; no event is later.

    Raises:
        BadEvent: it cannot be taken.
    """
    return _envelope(raw, kind, raw, received_at)


def _read_event(
    raw: Any,
    kind: str | None,
    call: dict[str, Any],
    regular: bool,
    call_bytes: int,
    received_at: datetime,
    schemas: EventSchemas | None,
    result: Call,
) -> None:
    try:
        if not isinstance(raw, dict):
            raise BadEvent("an event must be a JSON object")
        if not regular and (found := fault(raw)):
            raise BadEvent(found)
        if call_bytes > MAX_EVENT_BYTES and (size := len(orjson.dumps(raw))) > MAX_EVENT_BYTES:
            raise BadEvent(f"{size} bytes; an event has at most {MAX_EVENT_BYTES}")
        envelope = _envelope(raw, kind or raw.get("type"), call, received_at)
        result.envelopes.append(envelope if schemas is None else judged(envelope, schemas))
    except NotAsDeclared as error:
        late = error.envelope
        result.quarantined.append(Quarantined(late.message_id, str(error), json.dumps(raw), received_at, late))
    except BadEvent as error:
        message_id = raw.get("messageId") if isinstance(raw, dict) else None
        kept = message_id[:MAX_ID] if isinstance(message_id, str) and message_id.isprintable() else None  # not every store takes a NUL
        result.quarantined.append(Quarantined(kept, str(error), json.dumps(raw), received_at))


def judged(envelope: Envelope, schemas: EventSchemas) -> Envelope:
    """Return an event with what its definition finds wrong.

    Raises:
        NotAsDeclared: its definition sets it aside.
    """
    verdict = schemas.judge(envelope.name, envelope.properties) if envelope.kind == "track" else None
    if verdict is None:
        return envelope
    if verdict.quarantine:
        raise NotAsDeclared(verdict.sentence(), envelope)
    return envelope.model_copy(update={"faults": (*envelope.faults, *verdict.faults)})


def _envelope(raw: dict[str, Any], kind: Any, call: dict[str, Any], received_at: datetime) -> Envelope:
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadEvent("type must be one of " + ", ".join(KINDS))
    context = _mapping(raw, "context")
    if call is not raw and "context" in call:
        context = {**_mapping(call, "context"), **context}
    properties = _mapping(raw, "properties")
    traits: dict[str, Any] = {}
    name: Any = kind
    user_id, anonymous_id, previous_id = _someones(raw, "userId"), _someones(raw, "anonymousId"), None
    if kind == "track":
        name = raw.get("event")
        if not isinstance(name, str) or not name.strip():
            raise BadEvent('a track call needs its event\'s name under "event"')
        if len(name) > MAX_NAME:
            raise BadEvent(f"the event's name is longer than {MAX_NAME} characters")
    elif kind == "identify":
        traits = {**_mapping(context, "traits"), **_mapping(raw, "traits")}
    elif kind in ("page", "screen"):
        properties = {**{key: raw[key] for key in ("name", "category") if isinstance(raw.get(key), str)}, **properties}
    elif kind == "group":
        properties = {"group_id": _id(raw, "groupId"), "traits": _mapping(raw, "traits")}
    elif kind == "alias":
        previous_id = _someones(raw, "previousId")
        if previous_id is None or user_id is None:
            raise BadEvent(f"an alias call needs previousId and userId{_refused(raw)}")
    used = _used(context)
    known = external_ids(context[EXTERNAL_IDS], region_of(traits, used)) if EXTERNAL_IDS in context else []
    user_id = user_id or next((one["id"] for one in known if one["type"] == "user_id"), None)
    anonymous_id = anonymous_id or next((one["id"] for one in known if one["type"] == "anonymous_id"), None)
    if others := [one for one in known if one["type"] not in ("user_id", "anonymous_id")]:
        used[EXTERNAL_IDS] = others
    elif user_id is None and anonymous_id is None:
        beside = ", or a readable id in context.externalIds" if context.get(EXTERNAL_IDS) else ""
        raise BadEvent(f"needs a userId or an anonymousId{beside}{_refused(raw)}")
    time = _time(raw, call, received_at)
    return Envelope(
        message_id=_message_id(raw),
        kind=KINDS[kind],
        name=name,
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id=previous_id,
        traits=traits,
        properties=properties,
        context=used,
        time=min(time, received_at),
        received_at=received_at,
        faults=(IN_FUTURE,) if kind == "track" and time - received_at > CLOCKS_DIFFER else (),
    )


def _mapping(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadEvent(f"{key} must be a JSON object")
    return value


def _id(raw: dict[str, Any], key: str) -> str | None:
    """Return an id; an empty one is none, a whole number is taken as its text."""
    value = raw.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadEvent(f"{key} must be text")
    value = value.strip()
    if len(value) > MAX_ID:
        raise BadEvent(f"{key} is longer than {MAX_ID} characters")
    return value or None


def _someones(raw: dict[str, Any], key: str) -> str | None:
    """Return whom an event names; None where it names nobody, or by a word for nothing, which is counted."""
    value = _id(raw, key)
    if value is None or not is_nothing(value):
        return value
    metrics().ids_refused.labels(key).inc()
    return None


def _refused(raw: dict[str, Any]) -> str:
    """Return which ids of an event are words for nothing, without repeating them."""
    found = [key for key in ("userId", "anonymousId", "previousId") if isinstance(raw.get(key), str | int) and is_nothing(str(raw[key]))]
    return f"; {' and '.join(found)}: a word for nothing, or a template that nobody filled in" if found else ""


def _message_id(raw: dict[str, Any]) -> str:
    """Return the sender's message id, or one that the same event has each time it is sent.

    `sentAt` and `writeKey` differ between two sendings of one event, so they do not count.
    """
    value = _id(raw, "messageId")
    if value is not None and not is_nothing(value):
        return value
    lasting = {key: item for key, item in raw.items() if key not in ("messageId", "sentAt", "writeKey")}
    return "body-" + hashlib.sha256(orjson.dumps(lasting, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]


def _used(context: dict[str, Any]) -> dict[str, Any]:
    """Return what is used of a context; addresses, devices and the rest are not kept."""
    used: dict[str, Any] = {}
    for key, longest in (("locale", MAX_LOCALE), ("timezone", MAX_ZONE), ("userAgent", MAX_AGENT)):
        value = context.get(key)
        if isinstance(value, str) and 0 < len(value) <= longest:
            used[key] = value
    location = context.get("location")
    if isinstance(location, dict):
        place = {key: value for key in PLACE if isinstance(value := location.get(key), str) and 0 < len(value) <= MAX_PLACE}
        if place:
            used["location"] = place
    consent = context.get("consent")
    if isinstance(consent, dict) and isinstance(consent.get("categoryPreferences"), dict):
        used["consent"] = {"categoryPreferences": consent["categoryPreferences"]}
    return used


def _time(raw: dict[str, Any], call: dict[str, Any], received_at: datetime) -> datetime:
    """Return when an event happened, by Segment's rule, corrected for a sender's clock that is wrong.

    time = received_at - (sentAt - originalTimestamp). Clients that send only `timestamp` mean their
    own clock by it. One that sends a `timestamp` beside a different `originalTimestamp` has corrected
    it already, and it stands. It may lie in the future; such an event is taken as of now, and the fault is kept.
    """
    original, stamped = _moment(raw, "originalTimestamp"), _moment(raw, "timestamp")
    if original is not None and stamped is not None and original != stamped:
        return stamped
    happened = original or stamped
    if happened is None:
        return received_at
    sent = _moment(raw, "sentAt") or _moment(call, "sentAt")
    if sent is None:
        return happened
    try:
        return received_at - (sent - happened)
    except OverflowError:
        raise BadEvent("timestamp lies outside of all calendars") from None


def _moment(raw: dict[str, Any], key: str) -> datetime | None:
    value = raw.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise BadEvent(f"{key} must be a moment in ISO 8601, such as 2026-01-05T09:00:00Z")
