"""Finds what changed in an event's properties between the two halves of a period, on a sample of each event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, or_, select

from sojourn.intake.audit.logged import IMPORTED_BELOW
from sojourn.intake.audit.noted import Note, Period, percent
from sojourn.intake.audit.statistics import PSI_SHIFTED, ks, ks_by_chance, psi, psi_by_chance, shares_differ
from sojourn.language.events.wording import path_text
from sojourn.store.tables import events, inbound

SAMPLE = 4_000  # of each event, of both halves together
MIN_EACH = 50  # events in each half
MAX_EVENTS = 100  # the most frequent
MAX_PATHS = 200  # properties of one event
MAX_DEPTH = 3
MAX_TEXTS = 50  # different texts of a category; a property with more is no category
COMMON = 0.05  # a property in so many is one that can vanish
NEW = 0.01  # a property in so many is new
SHARE_STEP = 0.10  # by which presence or nulls must change
CERTAIN = 4.0  # standard errors
KS_SHIFTED = 0.15
# Prime, so that no sender's pattern of every second or hundredth event falls in step with the sample.
STRIDES = (1, 2, 3, 5, 7, 11, 17, 29, 47, 79, 127, 211, 347, 563, 907, 1481, 2399, 3881, 6287, 10169)


@dataclass
class Property:
    """What one property was in one half."""

    present: int = 0
    types: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    many_texts: bool = False
    numbers: list[float] = field(default_factory=list)

    def observe(self, value: Any) -> None:
        """Add a value."""
        self.present += 1
        if isinstance(value, str):
            self.types["a text"] += 1
            if not self.many_texts:
                self.texts[value] += 1
                if len(self.texts) > MAX_TEXTS:
                    self.many_texts = True
                    self.texts.clear()
        elif isinstance(value, bool):
            self.types["true or false"] += 1
            self.texts[str(value)] += 1
        elif isinstance(value, (int, float)):
            self.types["a number"] += 1
            self.numbers.append(float(value))
        else:
            self.types["null" if value is None else "a list" if isinstance(value, list) else "an object"] += 1


@dataclass
class Half:
    """A sample of one event's properties in one half of the period."""

    count: int = 0
    properties: dict[tuple[str, ...], Property] = field(default_factory=dict)

    def observe(self, properties: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
        """Add the properties of an event."""
        self.count += not path
        for name, value in properties.items():
            at = (*path, name)
            known = self.properties.get(at)
            if known is None:
                if len(self.properties) >= MAX_PATHS:
                    continue
                known = self.properties[at] = Property()
            known.observe(value)
            if isinstance(value, dict) and len(at) < MAX_DEPTH:
                self.observe(value, at)


def halves(connection: Connection, period: Period, counts: Mapping[str, int]) -> dict[str, tuple[Half, Half]]:
    """Return a sample of each event in both halves of a period.

    Args:
        connection: the store.
        period: what is looked at.
        counts: events in it, by name: what each sample's stride follows from.
    """
    names = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_EVENTS]
    strides: dict[int, list[str]] = {}
    for name in names:
        strides.setdefault(next((s for s in STRIDES if counts[name] <= s * SAMPLE), STRIDES[-1]), []).append(name)
    found = {name: (Half(), Half()) for name in names}
    if not names:
        return found
    i, e = inbound.c, events.c
    middle: datetime = period.middle

    def chosen(name: Column[Any], seq: Column[Any]) -> ColumnElement[bool]:
        return or_(*(and_(name.in_(group), seq % stride == 0) for stride, group in strides.items()))

    log = i.kind == "track", i.profile_id.is_(None), i.time >= period.since, i.time < period.until
    for row in connection.execute(select(i.name, i.time, i.body).where(*log, chosen(i.name, i.seq))):
        found[row.name][row.time >= middle].observe(row.body.get("properties") or {})
    history = e.kind == "track", e.seq < IMPORTED_BELOW, e.time >= period.since, e.time < period.until
    for row in connection.execute(select(e.name, e.time, e.properties).where(*history, chosen(e.name, e.seq))):
        found[row.name][row.time >= middle].observe(row.properties)
    return found


def note_drift(samples: Mapping[str, tuple[Half, Half]]) -> list[Note]:
    """Return what changed, as notes."""
    notes: dict[Note, None] = {}  # keys that are data are all `?`, and said once
    for event, (before, after) in sorted(samples.items()):
        if min(before.count, after.count) >= MIN_EACH:
            for path in sorted(before.properties.keys() | after.properties.keys()):
                where = path_text(path)
                for what, advice in _changes(path, before, after):
                    notes[Note("drift", event, what, advice, where)] = None
    return list(notes)


_Change = tuple[str, str]  # what changed, what to do


def _changes(path: tuple[str, ...], first: Half, second: Half) -> Iterator[_Change]:
    before, after = first.properties.get(path, Property()), second.properties.get(path, Property())
    share, later = before.present / first.count, after.present / second.count
    if not before.present and later >= NEW:
        yield f"new: in {percent(later)} of the later half, never before", "declare it, or ask who began to send it"
    elif not after.present and share >= COMMON:
        advice = "ask who stopped sending it; conditions that read it are false now"
        yield f"vanished: in {percent(share)} before, never since", advice
    elif abs(share - later) >= SHARE_STEP and shares_differ(before.present, first.count, after.present, second.count) >= CERTAIN:
        yield f"present in {percent(share)} before, in {percent(later)} since", "find which sender leaves it out"
    if before.present and after.present:
        yield from _types(before, after)
        yield from _values(before, after)


def _types(before: Property, after: Property) -> Iterator[_Change]:
    for kind in sorted(before.types.keys() | after.types.keys()):
        share, later = before.types[kind] / before.present, after.types[kind] / after.present
        if shares_differ(before.types[kind], before.present, after.types[kind], after.present) < CERTAIN:
            continue
        if kind == "null" and abs(share - later) >= SHARE_STEP:
            yield f"null in {percent(share)} before, in {percent(later)} since", "find which sender leaves it empty"
        elif kind != "null" and not before.types[kind] and later >= NEW:
            was = ", ".join(sorted(before.types.keys() - {"null"})) or "null"
            yield f"{kind} in {percent(later)} since, where it was {was}", "mend the sender, or declare both types"


def _values(before: Property, after: Property) -> Iterator[_Change]:
    counts = sum(before.texts.values()), sum(after.texts.values())
    if not (before.many_texts or after.many_texts) and min(counts) >= MIN_EACH:
        found = psi(before.texts, after.texts)
        if found >= PSI_SHIFTED and found > psi_by_chance(len(before.texts.keys() | after.texts.keys()), *counts):
            what = f"its shares moved: PSI {found:.2f}, above {PSI_SHIFTED} counts as another population"
            advice = "ask what changed: a campaign, a new range, or the sender; models that read it see another world"
            yield what, advice
    if min(len(before.numbers), len(after.numbers)) >= MIN_EACH:
        apart = ks(before.numbers, after.numbers)
        if apart >= KS_SHIFTED and apart > ks_by_chance(len(before.numbers), len(after.numbers)):
            what = f"its numbers moved: KS {apart:.2f} between the halves"
            yield what, "check the unit and the currency, then what the shop changed"
