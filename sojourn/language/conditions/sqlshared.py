"""Asks each question to people's history once for all conditions of a query, however many of them ask it.

Conditions that are written down together hand their questions in here and read the answers from columns of one
row for each person. What counts, adds up or tells values apart goes through the events of a name once, from the longest window
that is asked about; a first or a last moment is looked up by the index, unless such a going through passes it anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    FromClause,
    Function,
    Integer,
    and_,
    case,
    false,
    func,
    literal,
    literal_column,
    select,
    true,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from sojourn.language.conditions import tree
from sojourn.language.conditions.sqljson import Millionths
from sojourn.language.conditions.sqlvalue import SqlValue
from sojourn.store.tables import events, profiles
from sojourn.store.types import to_micros

ANSWERS = "answers"
MOST_SCANS = 24  # names of events that are gone through; SQLite joins 64 tables at most
_TOTALS: dict[str, TypeEngine[Any]] = {"count": Integer(), "sum": Float(), "distinct": Integer()}


@dataclass
class _Question:
    """A question, under a column of its own.

    Attributes:
        past: what is asked; of a last moment the longest window that is asked about.
        kind: count, sum, distinct, or first or last: the moment of such an event.
        query: turns the parts of the question into SQL.
    """

    column: str
    past: tree.Past
    kind: str
    query: Any

    def where(self, within: timedelta | None) -> ColumnElement[bool] | None:
        """Return what an event must be beside one of its name within a window, to count; None: nothing."""
        parts: list[ColumnElement[bool]] = []
        if self.past.within != within:
            assert self.past.within is not None
            parts.append(events.c.time > self.query.facts.now - self.past.within)
        if self.past.where is not None:
            parts.append(self.query.inside(self.past).holds(self.past.where))
        return and_(*parts) if parts else None

    def value(self, where: ColumnElement[bool] | None) -> ColumnElement[Any]:
        """Return what is asked of those events that are as said."""

        def of_those(found: Function[Any]) -> ColumnElement[Any]:
            return found if where is None else found.filter(where)

        moment = type_coerce(events.c.time, BigInteger)
        match self.kind:
            case "first":
                return of_those(func.min(moment, type_=BigInteger()))
            case "last":
                return of_those(func.max(moment, type_=BigInteger()))
            case "count":  # of a column: PostgreSQL takes a count(*) whose filter asks of the person only for one of people
                return of_those(func.count(events.c.time))
        part: SqlValue = self.query.inside(self.past).value(self.past.of)
        if self.kind == "sum":
            assert part.number is not None
            return of_those(func.sum(Millionths(part.number), type_=Float()))
        different: ColumnElement[int] = literal(0, Integer())
        for kind in (part.number, part.text, part.truth, part.moment):
            if kind is not None:
                different = different + of_those(func.count(kind.distinct()))
        return different


@dataclass
class SharedQuestions:
    """The questions of conditions that are asked together; first written down by them, then joined to `profiles`."""

    _asked: dict[tuple[str, ...], _Question] = field(default_factory=dict)

    def takes(self, past: tree.Past) -> bool:
        """Tell whether a question can be shared: of what it counts it asks nothing that is a question again."""
        return past.where is None or not _asks_on(past.where)

    # -- answers -------------------------------------------------------------------------------

    def total(self, past: tree.Past, query: Any) -> ColumnElement[Any]:
        """Return how many events there are, how many different values, or their sum in millionths."""
        kind = _TOTALS[past.function]
        return func.coalesce(self._column(past.function, past, query, kind), literal(0, kind), type_=kind)

    def first(self, past: tree.Past, query: Any) -> ColumnElement[int]:
        """Return when the first of the events was, in microseconds; NULL where there is none."""
        return self._column("first", past, query, BigInteger())

    def last(self, past: tree.Past, query: Any) -> ColumnElement[int]:
        """Return when the last of the events was, in microseconds; NULL, or a moment before the window, where there is none."""
        return self._column("last", past, query, BigInteger())

    def moment(self, past: tree.Past, query: Any) -> ColumnElement[int]:
        """Return when the first or the last of the events was, as the question says; NULL where there is none."""
        if past.function == "first":
            return self.first(past, query)
        last = self.last(past, query)
        if past.within is None:
            return last
        return case((last > literal(to_micros(query.facts.now - past.within), BigInteger()), last))

    def did(self, past: tree.Past, query: Any) -> ColumnElement[bool]:
        """Return whether there is such an event."""
        last = self.last(past, query)
        if past.within is None:
            return last.is_not(None)
        since = literal(to_micros(query.facts.now - past.within), BigInteger())
        return func.coalesce(last, since, type_=BigInteger()) > since

    def _column(self, kind: str, past: tree.Past, query: Any, type_: Any) -> ColumnElement[Any]:
        # A last moment is one for all windows; a `1` and a `true` are equal in Python, and not in their representation.
        within = "" if kind == "last" else repr(past.within)
        of = repr(past.of) if kind in _TOTALS else ""
        key = (kind, past.event, of, repr(past.where), within, query.facts.calendar.named())
        known = self._asked.get(key)
        if known is None:
            known = self._asked[key] = _Question(f"q{len(self._asked)}", past, kind, query)
        elif _longer(past.within, known.past.within):
            known.past = replace(known.past, within=past.within)
        return literal_column(f"{ANSWERS}.{known.column}", type_)

    # -- asking --------------------------------------------------------------------------------

    def beside_profiles(self, dialect: str, people: ColumnElement[bool]) -> FromClause:
        """Return `profiles` with the answers beside it, for the people of a page.

        Args:
            dialect: of the store.
            people: says of `profiles` who they are.
        """
        if not self._asked:
            return profiles
        scans = self._scans()
        source: FromClause = profiles
        columns: list[ColumnElement[Any]] = []
        alone = list(self._asked.values())
        for number, (name, within) in enumerate(scans.items()):
            here = [one for one in alone if one.past.event == name and not _longer(one.past.within, within)]
            alone = [one for one in alone if one not in here]
            scan, same = _scan(dialect, f"scan{number}", name, within, here, people)
            source = source.outerjoin(scan, same)
            columns += [scan.c[one.column] for one in here]
        columns += [one.query.rows(one.past, one.value(None)).scalar_subquery().label(one.column) for one in alone]
        # Kept apart, or the questions would be written out again wherever an answer is read.
        answers = select(profiles.c.id.label("person"), *columns).select_from(source).where(people).cte(ANSWERS)
        answers = answers.prefix_with("MATERIALIZED")
        return profiles.join(answers, answers.c.person == profiles.c.id)

    def _scans(self) -> dict[str, timedelta | None]:
        """Return the names whose events are gone through, each with the longest window of what has to; None: the whole history."""
        found: dict[str, timedelta | None] = {}
        for one in self._asked.values():
            if one.kind in _TOTALS:
                known = found.setdefault(one.past.event, one.past.within)
                found[one.past.event] = one.past.within if _longer(one.past.within, known) else known
        return dict(list(found.items())[:MOST_SCANS])


def _scan(
    dialect: str, label: str, name: str, within: timedelta | None, asked: Sequence[_Question], people: ColumnElement[bool]
) -> tuple[FromClause, ColumnElement[bool]]:
    """Return a row of answers about the events of a name for each person, and how it is joined to them."""
    now = asked[0].query.facts.now
    which = [events.c.profile_id == profiles.c.id, events.c.name == name, events.c.time <= now, events.c.machine == false()]
    if within is not None:
        which.append(events.c.time > now - within)
    answers = [one.value(one.where(within)).label(one.column) for one in asked]
    if dialect == "postgresql":  # which else may go through the events of everybody
        return select(*answers).select_from(events).where(*which).correlate(profiles).lateral(label), true()
    both = profiles.join(events, which[0])
    grouped = select(profiles.c.id.label("person"), *answers).select_from(both).where(people, *which[1:]).group_by(profiles.c.id)
    scan = grouped.subquery(label)
    return scan, scan.c.person == profiles.c.id


def _longer(one: timedelta | None, other: timedelta | None) -> bool:
    """Tell whether a window is longer than another; None is all of the past."""
    return other is not None and (one is None or one > other)


def _asks_on(node: tree.Node) -> bool:
    return isinstance(node, tree.Past | tree.Net | tree.Segment | tree.Listed) or any(map(_asks_on, tree.children(node)))


__all__ = ["SharedQuestions"]
