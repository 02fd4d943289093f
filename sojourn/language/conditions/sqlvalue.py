"""A value in SQL: one expression for each kind that it may be, each NULL where it is of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Float, Text, and_, false, func, literal, literal_column, not_, or_, true

from sojourn.language.conditions.sqljson import (
    IsList,
    JsonNumber,
    JsonOther,
    JsonText,
    JsonTruth,
    ListHas,
    NotEmpty,
    TextHas,
    TextMicros,
    path_literal,
)
from sojourn.language.conditions.tree import Path
from sojourn.language.conditions.values import OPERATORS, parse_moment
from sojourn.store.types import to_micros

Bool = ColumnElement[bool]
_WHOLE = 2**63


@dataclass(frozen=True)
class SqlValue:
    """A value that is of one kind at most in each row; a kind that it never is, is None.

    Attributes:
        moment: in microseconds since 1970.
        other: a list or object, as JSON.
        constant: the value itself, where it is known before the query.
    """

    number: ColumnElement[Any] | None = None
    text: ColumnElement[Any] | None = None
    truth: ColumnElement[Any] | None = None
    moment: ColumnElement[Any] | None = None
    other: ColumnElement[Any] | None = None
    constant: Any = None

    def kinds(self) -> list[ColumnElement[Any]]:
        """Return the expressions of all kinds that it may be."""
        return [kind for kind in (self.number, self.text, self.truth, self.moment, self.other) if kind is not None]

    def each(self, change: Callable[[ColumnElement[Any]], ColumnElement[Any]]) -> SqlValue:
        """Return the value with the expression of each kind changed."""
        changed = [None if kind is None else change(kind) for kind in (self.number, self.text, self.truth, self.moment, self.other)]
        return SqlValue(*changed)

    def as_moment(self) -> ColumnElement[Any] | None:
        """Return it as a moment, reading a text as ISO 8601; None where it can be none."""
        if isinstance(self.constant, str):
            moment = parse_moment(self.constant)
            return None if moment is None else literal(to_micros(moment), BigInteger())
        if self.moment is None and self.text is not None:
            return TextMicros(self.text)
        return self.moment


def constant(value: Any) -> SqlValue:
    """Return a value that is known before the query."""
    match value:
        case bool():
            return SqlValue(truth=literal(value, Boolean()), constant=value)
        case int() if abs(value) < _WHOLE:
            return SqlValue(number=literal(value, BigInteger()), constant=value)
        case int() | float():
            return SqlValue(number=literal(float(value), Float()), constant=value)
        case str():
            return SqlValue(text=literal(value, Text()), constant=value)
        case datetime():
            return SqlValue(moment=literal(to_micros(value), BigInteger()), constant=value)
    return SqlValue(constant=value)


def json_value(column: ColumnElement[Any], path: Path) -> SqlValue:
    """Return what stands at a path of a JSON column."""
    place = path_literal(path)
    return SqlValue(
        number=JsonNumber(column, place), text=JsonText(column, place), truth=JsonTruth(column, place), other=JsonOther(column, place)
    )


def holds(expression: ColumnElement[Any]) -> Bool:
    """Return an expression that is false where it would be NULL."""
    return func.coalesce(expression, false(), type_=Boolean())


def compared(symbol: str, one: SqlValue, other: SqlValue) -> Bool:
    """Return one value beside another; see values.py for what holds."""
    compare = OPERATORS[symbol]
    if one.moment is not None or other.moment is not None:
        pairs = [(one.as_moment(), other.as_moment())]
    else:
        pairs = [(one.number, other.number), (one.text, other.text)]
        if symbol in ("==", "!="):
            pairs.append((one.truth, other.truth))
    return or_(false(), *(holds(compare(left, right)) for left, right in pairs if left is not None and right is not None))  # type: ignore[arg-type]


def alone(value: SqlValue) -> Bool:
    """Return whether a value alone holds."""
    terms: list[Bool] = []
    if value.truth is not None:
        terms.append(holds(value.truth))
    if value.number is not None:
        terms.append(holds(value.number != 0))
    if value.text is not None:
        terms.append(holds(value.text != ""))
    if value.moment is not None:
        terms.append(value.moment.is_not(None))
    if value.other is not None:
        terms.append(holds(NotEmpty(value.other)))
    return or_(false(), *terms)


def defined(value: SqlValue) -> Bool:
    """Return whether a value is there."""
    if value.constant is not None:
        return true()
    return or_(false(), *(kind.is_not(None) for kind in value.kinds()))


def in_list(value: SqlValue, items: Sequence[SqlValue], negated: bool) -> Bool:
    """Return whether a value is, or is not, one of several."""
    found = or_(false(), *(compared("==", value, item) for item in items))
    return and_(defined(value), not_(found)) if negated else found


def in_value(value: SqlValue, whole: SqlValue, negated: bool) -> Bool:
    """Return whether a value is, or is not, in a list kept as JSON, or part of a text."""
    found: list[Bool] = []
    apt: list[Bool] = []
    if whole.other is not None:
        kinds = {"number": value.number, "string": value.text, "boolean": value.truth, "moment": value.moment}
        for kind, expression in kinds.items():
            if expression is not None:
                found.append(holds(ListHas(whole.other, expression, literal_column(f"'{kind}'", Text()))))
        apt.append(and_(defined(value), holds(IsList(whole.other))))
    if whole.text is not None and value.text is not None:
        found.append(holds(TextHas(whole.text, value.text)))
        apt.append(and_(whole.text.is_not(None), value.text.is_not(None)))
    return and_(or_(false(), *apt), not_(or_(false(), *found))) if negated else or_(false(), *found)
