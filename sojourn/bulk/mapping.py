"""Which column says what: as the command line maps it, else as its name tells.

A target is written as in an export: `user_id`, `time`, `traits.city`, `consent.marketing`,
`properties.price`, and for ids of a CRM `external.stripe_id`. A name that is no other target is a trait, or of events a property; dots go
inside (`address.city`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sojourn.bulk.cells import TYPES, read_cell, unguard
from sojourn.bulk.problems import BadRow, UnreadableFile
from sojourn.language.identity_rules import EMAIL, KIND_PATTERN, PHONE
from sojourn.language.problems import nearest

LEFT_OUT = "-"
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BREAKS = re.compile(r"[\s\-./:]+")
_KEPT_LAYOUTS = 512
EXTERNAL, EXTERNAL_IDS = "external", "external_ids"
_KIND = re.compile(KIND_PATTERN)
_FOLLOWS = ("observed", "computed")  # an export shows it; nobody says it


class Kind(StrEnum):
    """What the rows of a file are."""

    profiles = "profiles"
    events = "events"


@dataclass(frozen=True)
class Target:
    """Where a column's value goes: a field of the record, and inside it a path."""

    field: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.field, *self.path)) if self.field else "left out"


NOWHERE = Target("")
_OBJECTS = frozenset({"traits", "consent", "properties", "trait_times", "context"})
_LISTS = frozenset({"identifiers", "consents"})
_FIELDS = {
    Kind.profiles: {
        "user_id", "anonymous_id", "identifiers", "time", "traits", "trait_times", "consent", "consents",
        "external_ids", "zone", "zone_time", "locale", "locale_time", "first_seen", "last_seen",
    },
    Kind.events: {"message_id", "user_id", "anonymous_id", "type", "event", "time", "properties", "traits", "context", "external_ids"},
}  # fmt: skip
_REST = {Kind.profiles: "traits", Kind.events: "properties"}
_NAMES = {
    "userid": "user_id", "customer_id": "user_id", "anon_id": "anonymous_id", "anonymousid": "anonymous_id",
    "timestamp": "time", "original_timestamp": "time", "updated_at": "time",
    "timezone": "zone", "time_zone": "zone", "firstseen": "first_seen", "lastseen": "last_seen",
    "profile_id": LEFT_OUT, "segment_since": LEFT_OUT,
}  # fmt: skip
_NAMES_OF = {
    Kind.profiles: {
        "id": "user_id", "e_mail": "email", "mail": "email", "email_address": "email", "phone_number": "phone",
        "firstname": "first_name", "lastname": "last_name",
        "observed": LEFT_OUT, "computed": LEFT_OUT,
        "type": LEFT_OUT, "message_id": LEFT_OUT, "sent_at": LEFT_OUT, "received_at": LEFT_OUT,
    },
    Kind.events: {
        "id": "message_id", "event_id": "message_id", "messageid": "message_id", "event_name": "event", "name": "event",
        "sent_at": LEFT_OUT, "received_at": LEFT_OUT, "machine": LEFT_OUT,
    },
}  # fmt: skip


def parse_target(kind: Kind, text: str) -> Target:
    """Return the target that a text names."""
    if text == LEFT_OUT:
        return NOWHERE
    head, _, rest = text.partition(".")
    if head == "consent" and rest and kind is Kind.profiles:
        return Target("consent", (rest,))  # a purpose may have dots
    if head in _FOLLOWS and rest and kind is Kind.profiles:
        return NOWHERE
    if head == EXTERNAL and rest and (known := external_kind(rest)):
        return Target(EXTERNAL_IDS, (known,))
    if rest and head in _OBJECTS & _FIELDS[kind]:
        return Target(head, _path(rest))
    if text in _FIELDS[kind]:
        return Target(text)
    return Target(_REST[kind], _path(text))


def external_kind(text: str) -> str | None:
    """Return the kind of identifier that a name means, as `context.externalIds` reads it; None where it means none."""
    kind = _BREAKS.sub("_", text.strip().lower())
    return kind if _KIND.match(kind) else None


def _path(text: str) -> tuple[str, ...]:
    parts = tuple(text.split("."))
    return parts if all(parts) else (text,)


def _guess(kind: Kind, column: str) -> Target:
    """Return the target that a column's name tells."""
    if column in _FIELDS[kind] or "." in column:
        return parse_target(kind, column)
    plain = _BREAKS.sub("_", _WORD_ENDS.sub("_", column.strip())).lower()
    known = plain if plain in _FIELDS[kind] else _NAMES.get(plain) or _NAMES_OF[kind].get(plain)
    return Target(_REST[kind], (column,)) if known is None else parse_target(kind, known)


_Reader = Callable[[Any], Any]


@dataclass(frozen=True)
class Layout:
    """The columns of a file, or of rows with the same keys, each with its target."""

    targets: dict[str, Target]
    steps: tuple[tuple[str, str, tuple[str, ...], _Reader | None], ...] = field(repr=False)

    def record(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row's values by the fields of their targets; what is empty is left out.

        Raises:
            BadRow: a value is not what its target takes.
        """
        found: dict[str, Any] = {}
        for column, name, path, read in self.steps:
            value = values[column]
            if value is None or value == "":
                continue
            if read is not None:
                try:
                    value = read(value)
                except BadRow as error:
                    raise BadRow(f"column {column!r} {error}") from None
                if value is None:
                    continue
            if not path:
                if name in found and isinstance(found[name], dict) and isinstance(value, dict):
                    found[name].update(value)
                else:
                    found[name] = value
            elif len(path) == 1:
                found.setdefault(name, {})[path[0]] = value
            else:
                _put(found, column, (name, *path), value)
        return found


def _put(found: dict[str, Any], column: str, path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = found.setdefault(part, {})
        if not isinstance(inner, dict):
            raise BadRow(f"column {column!r} goes inside of a value that is no object")
        found = inner
    found[path[-1]] = value


def _object(value: Any) -> Any:
    if isinstance(value, str):
        value = TYPES["json"](value)
    if not isinstance(value, dict):
        raise BadRow("must be a JSON object")
    return dict(value)


def _object_or_list(value: Any) -> Any:
    if isinstance(value, str):
        value = TYPES["json"](value)
    if not isinstance(value, dict | list):
        raise BadRow("must be a JSON object or list")
    return value


def _list(value: Any) -> Any:
    if isinstance(value, str):
        value = TYPES["json"](value)
    if not isinstance(value, list):
        raise BadRow("must be a JSON list")
    return value


def _typed(read: Callable[[str], Any]) -> _Reader:
    return lambda value: read(value if isinstance(value, str) else str(value))


class Columns:
    """Finds the target of each column; made once for an import.

    Args:
        kind: what the rows are.
        mapped: column to target, from the command line.
        types: column to one of TYPES.
        textual: whether every value is a text that stands for one, as in CSV.

    Raises:
        UnreadableFile: a type is none.
    """

    def __init__(self, kind: Kind, mapped: Mapping[str, str], types: Mapping[str, str], textual: bool) -> None:
        self.kind, self.mapped, self.types, self.textual = kind, dict(mapped), dict(types), textual
        for column, target in mapped.items():
            if target.startswith(f"{EXTERNAL}.") and parse_target(kind, target).field != EXTERNAL_IDS:
                raise UnreadableFile(f"--map {column}={target}: a kind of id is small letters, digits and _, such as external.stripe_id")
        self._layouts: dict[tuple[str, ...], Layout] = {}
        for column, named in types.items():
            if named not in TYPES:
                raise UnreadableFile(f"--type {column}={named}: a type is one of {', '.join(TYPES)}{nearest(named, TYPES)}")

    def check(self, names: Sequence[str]) -> Layout:
        """Return the layout of a file whose columns are known beforehand.

        Raises:
            UnreadableFile: the command line names a column that is not there, or no column tells whose a row is.
        """
        for flag, given in (("--map", self.mapped), ("--type", self.types)):
            for column in given:
                if column not in names:
                    raise UnreadableFile(
                        f"{flag} {column}=…: the file has no such column{nearest(column, names) or '; it has ' + ', '.join(names)}"
                    )
        layout = self.layout(names)
        there = {target.field for target in layout.targets.values()}
        by_address = self.kind is Kind.profiles and any(Target("traits", (one,)) in layout.targets.values() for one in (EMAIL, PHONE))
        if not by_address and not there & {"user_id", "anonymous_id", "identifiers", EXTERNAL_IDS}:
            more = ", email, phone" if self.kind is Kind.profiles else ""
            raise UnreadableFile(
                f"no column tells whose a row is; map one, such as --map customer=user_id (or anonymous_id{more}, external.crm_id)"
            )
        if self.kind is Kind.events and not there & {"event", "type"}:
            raise UnreadableFile("no column names the event; map one, such as --map action=event")
        return layout

    def layout(self, names: Sequence[str]) -> Layout:
        """Return the layout of rows with these columns."""
        key = tuple(names)
        found = self._layouts.get(key)
        if found is None:
            if len(self._layouts) >= _KEPT_LAYOUTS:
                self._layouts.clear()
            found = self._layouts[key] = self._make(key)
        return found

    def _make(self, names: tuple[str, ...]) -> Layout:
        targets = {name: parse_target(self.kind, self.mapped[name]) for name in names if name in self.mapped}
        guessed = {name: _guess(self.kind, name) for name in names if name not in targets}
        # A column's own name goes before one that merely means the same.
        for name in sorted(guessed, key=lambda name: str(guessed[name]) != name):
            target = guessed[name]
            taken = target != NOWHERE and target in targets.values()
            targets[name] = Target(_REST[self.kind], (name,)) if taken else target
        doubled = [
            name for name in self.mapped if name in names and list(targets.values()).count(targets[name]) > 1 and targets[name] != NOWHERE
        ]
        if doubled:
            raise UnreadableFile(f"two columns go to {targets[doubled[0]]}; leave one out with --map COLUMN=-")
        steps = tuple(
            (name, targets[name].field, targets[name].path, self._reader(name, targets[name])) for name in names if targets[name].field
        )
        return Layout({name: targets[name] for name in names}, steps)

    def _reader(self, column: str, target: Target) -> _Reader | None:
        if column in self.types:
            return _typed(TYPES[self.types[column]])
        if target.field == EXTERNAL_IDS:  # an id is text, whatever it looks like
            if not target.path:
                return _object_or_list
            return unguard if self.textual else None
        if not target.path:
            if target.field in _OBJECTS:
                return _object
            if target.field in _LISTS:
                return _list
            return unguard if self.textual else None
        return read_cell if self.textual else None
