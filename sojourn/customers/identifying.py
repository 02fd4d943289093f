"""By what an event says whose it is, beside its user id and anonymous id: exact keys, written alike.

E-mail addresses and phone numbers of an identify's traits, and `context.externalIds`. What cannot be read
is no identifier; it stays a trait as it was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
import phonenumbers

from sojourn.language import email_address
from sojourn.language.identity_rules import ANONYMOUS, EMAIL, KIND_PATTERN, PHONE, USER, is_nothing
from sojourn.metrics import metrics

Key = tuple[str, str]
"""An identifier: its kind and its value."""

MAX_VALUE = 255
NOBODYS = "nobody:"
MAX_EXTERNAL_IDS = 20
EXTERNAL_IDS = "externalIds"
_KIND = re.compile(KIND_PATTERN)
_REGION = re.compile(r"^[a-z]{2,3}[-_](?:[A-Za-z]{4}[-_])?([A-Za-z]{2})(?:[-_.@]|$)")
_HAS_DIGITS = re.compile(r"(?:\D*\d){6}")


@lru_cache(maxsize=4096)
def email_key(text: str) -> str | None:
    """Return an e-mail address as it is compared, however its domain is spelt; None where it is none."""
    return email_address.canonical(text)


@lru_cache(maxsize=4096)
def phone_key(text: str, region: str | None = None) -> str | None:
    """Return a phone number in E.164; None where it is none, or lacks its country.

    Args:
        text: the number as it was written.
        region: the country that a number without one is dialled from, such as DE.
    """
    if len(text) > 40 or not _HAS_DIGITS.match(text):
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalised(kind: str, value: str, region: str | None = None) -> str | None:
    """Return a value of a kind as identifiers are compared; None where it cannot be one."""
    if kind == EMAIL:
        return email_key(value)
    if kind == PHONE:
        return phone_key(value, region)
    value = value.strip()
    return value if 0 < len(value) <= MAX_VALUE and "\0" not in value else None


def keys_of(kind: str, traits: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[Key, ...]:
    """Return every identifier that an event names beside its user id and its anonymous id, each once.

    Args:
        kind: of the call; only an identify's traits speak of the person.
        traits: as they were said.
        context: `externalIds` as `external_ids` left them; `locale` says where a phone number is dialled.
    """
    found: dict[Key, None] = {}
    for one in context.get(EXTERNAL_IDS, ()):
        found[one["type"], one["id"]] = None
    if kind == "identify" and traits:
        email, phone = traits.get(EMAIL), traits.get(PHONE)
        if isinstance(email, str) and (read := email_key(email)):
            found[EMAIL, read] = None
        if isinstance(phone, str) and (read := phone_key(phone, region_of(traits, context))):
            found[PHONE, read] = None
    return tuple(found)


def region_of(traits: Mapping[str, Any], context: Mapping[str, Any]) -> str | None:
    """Return the country that a person dials from, as far as an event tells: its trait, else the locale's region."""
    address = traits.get("address")
    for country in (traits.get("country"), address.get("country") if isinstance(address, Mapping) else None):
        if isinstance(country, str) and country.strip().upper() in phonenumbers.SUPPORTED_REGIONS:
            return country.strip().upper()
    locale = context.get("locale") or traits.get("locale")
    found = _REGION.match(locale) if isinstance(locale, str) else None
    return found[1].upper() if found else None


def external_ids(given: Any, region: str | None = None) -> list[dict[str, str]]:
    """Return what is readable of `context.externalIds`, as `{type, id}` in the form in which identifiers are compared.

    Only ids of users count (`collection`, where it is said), and only plainly written ones (`encoding`).
    A type is a kind: `stripe_id`; `ios.idfa` is read as `ios_idfa`.
    """
    found: dict[Key, None] = {}
    if not isinstance(given, Sequence) or isinstance(given, str):
        return []
    for one in given[:MAX_EXTERNAL_IDS]:
        if not isinstance(one, Mapping) or one.get("collection", "users") != "users" or one.get("encoding", "none") != "none":
            continue
        kind, value = one.get("type"), one.get("id")
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(kind, str) or not isinstance(value, str):
            continue
        kind = re.sub(r"[.\- ]", "_", kind.strip().lower())
        if is_nothing(value) and not value.isdigit():  # a number may be a CRM's; identity holds 0 for nobody's
            metrics().ids_refused.labels("externalIds").inc()
        elif _KIND.match(kind) and (read := normalised(kind, value, region)):
            found[kind, read] = None
    return [{"type": kind, "id": value} for kind, value in found]


def write_keys(keys: Iterable[Key]) -> str:
    """Return identifiers as the log keeps them; a stored one can be looked for in the text by what `write_keys` makes of it alone."""
    return orjson.dumps(list(keys)).decode()


def read_keys(text: str | None) -> tuple[Key, ...]:
    """Return identifiers as `write_keys` wrote them."""
    return tuple((kind, value) for kind, value in orjson.loads(text)) if text else ()


def nobodys(kind: str) -> str:
    """Return the kind under which a value that is nobody's (a placeholder, a shared device) keeps the events that name nothing else."""
    return NOBODYS + kind


def parse_reference(reference: str) -> list[Key]:
    """Return the identifiers that someone may mean by a text, likeliest first: a value of any kind, or `kind:value`.

    A value is looked for as it is and, where it can be one, as an e-mail address and as a phone number.
    """
    kind, colon, value = reference.partition(":")
    found: list[Key] = []
    if colon and _KIND.match(kind) and (read := normalised(kind, value)):
        found.append((kind, read))
    found += [(USER, reference), (ANONYMOUS, reference)]
    found += [(kind, read) for kind, read in ((EMAIL, email_key(reference)), (PHONE, phone_key(reference))) if read]
    return found
