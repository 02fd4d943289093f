"""Gathers what was seen of an event's properties: types, presence, ranges, repeated texts; no more than is needed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

MAX_DEPTH = 6  # levels of objects and lists that are looked into
MAX_KEYS = 60  # properties of one object; more are taken for a map, whose keys are data
MAX_TEXTS = 24  # different texts that are told apart
FORMATS = ("date-time", "date", "email", "uuid", "uri", "ipv4")
_PLAIN = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$-]{0,63}\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]")
_PHONE = re.compile(r"^(\+\d|\(\d|\d{2,4}[-. /)])[\d\s()./-]{6,20}\Z")


@dataclass
class Seen:
    """What was seen at one place of an event's properties."""

    count: int = 0
    types: Counter[str] = field(default_factory=Counter)
    properties: dict[str, Seen] = field(default_factory=dict)
    listable: bool = True  # every key of every object is a plain name, and they are few
    a_map: bool = False  # so many keys that they are data themselves
    items: Seen | None = None
    texts: Counter[str] = field(default_factory=Counter)
    many_texts: bool = False
    formats: set[str] | None = None  # None until a text was seen
    looks_like: set[str] = field(default_factory=set)  # email, phone
    least: float | None = None
    most: float | None = None
    longest: int = 0  # list

    def observe(self, value: Any, depth: int = 0) -> None:
        """Add a value."""
        self.count += 1
        if value is None:
            self.types["null"] += 1
        elif isinstance(value, bool):
            self.types["boolean"] += 1
        elif isinstance(value, (int, float)):
            self.types["integer" if isinstance(value, int) else "number"] += 1
            self.least = value if self.least is None or value < self.least else self.least
            self.most = value if self.most is None or value > self.most else self.most
        elif isinstance(value, str):
            self.types["string"] += 1
            self._text(value)
        elif isinstance(value, list):
            self.types["array"] += 1
            self.longest = max(self.longest, len(value))
            if depth < MAX_DEPTH and value:
                self.items = self.items or Seen()
                for each in value:
                    self.items.observe(each, depth + 1)
        else:
            self.types["object"] += 1
            self._object(value, depth)

    def _object(self, value: dict[str, Any], depth: int) -> None:
        if depth >= MAX_DEPTH:
            self.listable = self.listable and not value
            return
        for key, each in value.items():
            if not _PLAIN.match(key):
                self.listable = False
            elif not self.a_map:
                inner = self.properties.get(key)
                if inner is None:
                    if len(self.properties) >= MAX_KEYS:
                        self.a_map, self.listable = True, False
                        self.properties.clear()
                        continue
                    inner = self.properties[key] = Seen()
                inner.observe(each, depth + 1)

    def _text(self, value: str) -> None:
        if not self.many_texts:
            self.texts[value] += 1
            if len(self.texts) > MAX_TEXTS:
                self.many_texts = True
                self.texts.clear()
        if self.formats is None:
            self.formats = {name for name in FORMATS if _is(name, value)}
        elif self.formats:
            self.formats = {name for name in self.formats if _is(name, value)}
        if "email" not in self.looks_like and _EMAIL.search(value):
            self.looks_like.add("email")
        if "phone" not in self.looks_like and _PHONE.match(value) and not _is("date", value[:10]) and not _is("ipv4", value):
            self.looks_like.add("phone")


def observe_all(values: Iterable[Any]) -> Seen:
    """Return what is seen of values."""
    seen = Seen()
    for value in values:
        seen.observe(value)
    return seen


def _is(name: str, value: str) -> bool:
    if name == "uri" and "://" not in value:
        return False  # `a:b` is a URI as well, but nobody means it so
    return _format(name).is_valid(value)


@cache
def _format(name: str) -> Draft202012Validator:
    return Draft202012Validator({"format": name}, validate_formats=True, offline=True)
