"""Drafts an event's definition from what was seen of it: one that accepts all of it, and holds no personal data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sojourn.language.events.seen import Seen

MIN_SAMPLES = 20  # below it nothing is said to be always so
ENUM_SAMPLES = 50
ENUM_VALUES = 12
ENUM_REPEATS = 3  # of each value
FORMAT_SAMPLES = 5
MAX_LISTED = 400  # properties in one file
RARE = 0.05  # keys that are each rarer, and many, are data
MANY_KEYS = 20
_VALUE = re.compile(r"^(?!.*\d{6})[\w .,/&+()'-]{1,40}\Z")
_MONEY = re.compile(r"price|revenue|amount|total|value|cost|tax|shipping|discount|subtotal|fee|balance|rate|score|weight", re.IGNORECASE)
_OPEN_TEXT = re.compile(r"(^|_)(id|name|title|url|text|message|query|description|sku|token|key)s?$", re.IGNORECASE)
_PERSONAL = {
    "contact": "email mail e_mail phone mobile telephone tel msisdn phone_number address street zip zip_code postcode postal_code",
    "identity": "first_name last_name full_name surname given_name family_name middle_name username user_name nickname ip ip_address "
    "mac_address device_id advertising_id idfa idfv gaid device_token push_token",
    "demographic": "birthday birth_date date_of_birth dob birthdate age gender",
    "location": "city latitude longitude lat lng lon geo region",
    "sensitive": "ssn iban passport card_number tax_id national_id religion password",
}
_KINDS = {word: kind for kind, words in _PERSONAL.items() for word in words.split()}


@dataclass
class Draft:
    """A drafted definition.

    Attributes:
        schema: of the properties.
        personal: properties that look like personal data.
        comments: what is worth saying of a place in the schema, by its way.
        mixed: the properties of several types, each with how often each came.
    """

    schema: dict[str, Any]
    personal: dict[str, str] = field(default_factory=dict)
    comments: dict[tuple[str, ...], str] = field(default_factory=dict)
    mixed: dict[str, str] = field(default_factory=dict)


@dataclass
class _Drafting:
    min_samples: int
    closed: bool
    draft: Draft = field(default_factory=lambda: Draft({}))
    left: int = MAX_LISTED


def draft(seen: Seen, *, min_samples: int = MIN_SAMPLES, closed: bool = False) -> Draft:
    """Return the definition that what was seen suggests; it accepts all of that.

    Args:
        seen: of an event's properties.
        min_samples: how many must have been seen before something is said to be always so.
        closed: forbid properties that were not seen.
    """
    drafting = _Drafting(min_samples, closed)
    drafting.draft.schema = {"type": "object", **_object(seen, (), (), drafting)}
    return drafting.draft


def _object(seen: Seen, way: tuple[str, ...], path: tuple[str, ...], d: _Drafting) -> dict[str, Any]:
    if seen.a_map or _keys_are_data(seen):
        d.draft.comments[way] = "so many names that they are taken for data; any may stand here"
        return {}
    whole = seen.listable
    found: dict[str, Any] = {}
    for name in sorted(seen.properties):
        if d.left <= 0:
            whole = False
            break
        d.left -= 1
        found[name] = _value(seen.properties[name], name, (*way, "properties", name), (*path, name), d)
    schema: dict[str, Any] = {}
    objects = seen.types["object"]
    always = sorted(name for name, inner in seen.properties.items() if name in found and inner.count == objects)
    if always and objects >= d.min_samples:
        schema["required"] = always
    if d.closed and whole:
        schema["additionalProperties"] = False
    if found:
        schema["properties"] = found
    return schema


def _keys_are_data(seen: Seen) -> bool:
    counts = sorted(inner.count for inner in seen.properties.values())
    return len(counts) > MANY_KEYS and counts[len(counts) // 2] < RARE * seen.types["object"]


def _value(seen: Seen, name: str, way: tuple[str, ...], path: tuple[str, ...], d: _Drafting) -> dict[str, Any]:
    kind = _personal_kind(seen, name)
    if kind is not None:
        d.draft.personal[".".join(path)] = kind
    types = list(_types(seen, name, d.min_samples))
    if types in ([], ["null"]):
        if seen.types["null"]:
            d.draft.comments[way] = "only null was seen"
        return {}
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    if "string" in types:
        schema |= _text(seen, name, types, personal=kind is not None)
    if "array" in types and seen.items is not None:
        schema["items"] = _value(seen.items, name, (*way, "items"), path, d)
    if "object" in types:
        schema |= _object(seen, way, path, d)
    mixture = _mixture(seen)
    if mixture:
        d.draft.mixed[".".join(path)] = mixture
        mixture = f"types differ: {mixture}"
    remark = "; ".join(filter(None, [mixture, _range(seen) if kind is None else f"looks like personal data ({kind})"]))
    if remark:
        d.draft.comments.setdefault(way, remark)
    return schema


def _types(seen: Seen, name: str, min_samples: int) -> Iterator[str]:
    """Return the types to state; whole numbers are only said to be always whole where enough were seen and it is no amount."""
    numbers = seen.types["integer"] + seen.types["number"]
    for kind in ("string", "boolean", "array", "object"):
        if seen.types[kind]:
            yield kind
    if numbers:
        whole = not seen.types["number"] and numbers >= min_samples and not _MONEY.search(name)
        yield "integer" if whole else "number"
    if seen.types["null"]:
        yield "null"


def _text(seen: Seen, name: str, types: list[str], *, personal: bool) -> dict[str, Any]:
    count = seen.types["string"]
    if seen.formats and count >= FORMAT_SAMPLES:
        return {"format": min(seen.formats, key=_FIRST.__getitem__)}
    few = not seen.many_texts and 2 <= len(seen.texts) <= ENUM_VALUES and count >= ENUM_SAMPLES
    if personal or not few or not set(types) <= {"string", "null"} or _OPEN_TEXT.search(name):
        return {}
    if min(seen.texts.values()) < ENUM_REPEATS or not all(_VALUE.match(value) for value in seen.texts):
        return {}
    return {"enum": [*sorted(seen.texts), *([None] if seen.types["null"] else [])]}


_FIRST = {name: i for i, name in enumerate(("date-time", "date", "uuid", "email", "ipv4", "uri"))}


def _range(seen: Seen) -> str:
    parts = []
    if seen.least is not None and seen.most is not None:
        parts.append(f"{seen.least:g}" if seen.least == seen.most else f"{seen.least:g} to {seen.most:g}")
    if seen.types["array"]:
        parts.append(f"at most {seen.longest} items")
    return ", ".join(parts) + " seen" if parts else ""


def _mixture(seen: Seen) -> str:
    """Return how often each type came where several did: mostly a sender that writes one of them by mistake."""
    counts = {name: sum(seen.types[kind] for kind in kinds) for name, kinds in _TYPE_NAMES.items()}
    came = sorted(((count, name) for name, count in counts.items() if count), reverse=True)
    if len(came) < 2:
        return ""
    total = sum(count for count, _ in came)
    shares = ", ".join(f"{name} in {count / total:.1%}".replace(".0%", "%") for count, name in came)
    return shares


_TYPE_NAMES = {
    "a text": ("string",), "true or false": ("boolean",), "a list": ("array",), "an object": ("object",), "a number": ("integer", "number"),
}  # fmt: skip


def _personal_kind(seen: Seen, name: str) -> str | None:
    """Return the kind of personal data that a property seems to hold, by its name or by what its values look like."""
    if seen.looks_like:
        return "contact"
    if seen.formats is not None and "ipv4" in seen.formats:
        return "identity"
    if not seen.types.keys() & {"string", "integer", "number", "object"}:
        return None
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(" ", "_").lower()
    if words in _KINDS:
        return _KINDS[words]
    if not seen.types["string"]:
        return None
    parts = words.split("_")
    tails = {"_".join(parts[i:]) for i in range(len(parts))} | {"_".join(parts[:i]) for i in range(1, len(parts))}
    return next((_KINDS[tail] for tail in sorted(tails) if tail in _KINDS), None)
