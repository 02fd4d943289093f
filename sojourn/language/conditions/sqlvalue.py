"""A value in SQL: one expression for each kind that it may be, each NULL where it is of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    true,
)

from sojourn.language.conditions.sqljson import (
    IsList,
    JsonNumber,
    JsonOther,
    JsonText,
    JsonTruth,
    ListHas,
    Millionths,
    NotEmpty,
    TextHas,
    TextMicros,
    path_literal,
)
from sojourn.language.conditions.tree import Path
from sojourn.language.conditions.values import (
    OLDEST_EPOCH,
    OPERATORS,
    SECONDS_BELOW,
    YOUNGEST_EPOCH,
    is_date,
    names_moment,
)
from sojourn.local_time import parse_moment
from sojourn.store.types import to_micros

Bool = ColumnElement[bool]
Zones = tuple[ColumnElement[str], ColumnElement[str]]
"""The name of a person's zone, which may be missing or none, and of the one that counts then."""
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

    def as_moment(self, zones: Zones) -> ColumnElement[Any] | None:
        """Return it as a moment, reading a text as ISO 8601; None where it can be none.

        Args:
            zones: in which a date by itself is a midnight.
        """
        of_text = self.text_moment(zones)
        if self.moment is None or of_text is None:
            return of_text if self.moment is None else self.moment
        return func.coalesce(self.moment, of_text, type_=BigInteger())

    def text_moment(self, zones: Zones) -> ColumnElement[Any] | None:
        """Return its text as a moment; None where it can name none."""
        if isinstance(self.constant, str) and not is_date(self.constant):
            moment = parse_moment(self.constant)
            return None if moment is None else literal(to_micros(moment), BigInteger())
        return None if self.text is None else TextMicros(self.text, *zones)

    @property
    def can_name_moment(self) -> bool:
        """Whether it may be a text that names a moment."""
        return self.text is not None and (not isinstance(self.constant, str) or names_moment(self.constant))


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


def json_value(column: ColumnElement[Any], path: Path, *, epoch: bool = False) -> SqlValue:
    """Return what stands at a path of a JSON column.

    Args:
        column: of JSON.
        path: within it.
        epoch: whether a number there is a moment, in seconds or milliseconds since 1970.
    """
    place = path_literal(path)
    number = JsonNumber(column, place)
    return SqlValue(
        number=None if epoch else number, text=JsonText(column, place), truth=JsonTruth(column, place), other=JsonOther(column, place),
        moment=_epoch(number) if epoch else None,
    )  # fmt: skip


def _epoch(number: ColumnElement[Any]) -> ColumnElement[Any]:
    plain = cast(number, Float)
    seconds = and_(plain >= literal(OLDEST_EPOCH, Float()), plain < literal(SECONDS_BELOW, Float()))
    millis = and_(plain >= literal(SECONDS_BELOW, Float()), plain < literal(YOUNGEST_EPOCH, Float()))
    micros = case((seconds, Millionths(plain)), (millis, Millionths(plain / literal(1000.0, Float()))), else_=None)
    return cast(micros, BigInteger)


def holds(expression: ColumnElement[Any]) -> Bool:
    """Return an expression that is false where it would be NULL."""
    return func.coalesce(expression, false(), type_=Boolean())


def compared(symbol: str, one: SqlValue, other: SqlValue, zones: Zones, written: bool = False) -> Bool:
    """Return one value beside another; see values.py for what holds.

    Args:
        symbol: such as <=.
        one: to its left.
        other: to its right.
        zones: in which dates are midnights.
        written: whether one of them is a text that names a moment, and is written in the condition.
    """
    compare = OPERATORS[symbol]
    equality = symbol in ("==", "!=")
    pairs = [(one.number, other.number)]
    if one.moment is not None:
        pairs.append((one.moment, other.as_moment(zones)))
    if other.moment is not None:
        pairs.append((one.text_moment(zones), other.moment))
    if equality:
        pairs.append((one.truth, other.truth))
    found = [holds(compare(left, right)) for left, right in pairs if left is not None and right is not None]  # type: ignore[arg-type]
    if one.text is not None and other.text is not None:
        found.append(_texts(compare, one, other, zones, only_moments=written and not equality))
    return or_(false(), *found)


def _texts(compare: Callable[[Any, Any], Any], one: SqlValue, other: SqlValue, zones: Zones, *, only_moments: bool) -> Bool:
    plain = holds(compare(one.text, other.text))
    if not (one.can_name_moment and other.can_name_moment):
        return false() if only_moments else plain
    left, right = one.text_moment(zones), other.text_moment(zones)
    if left is None or right is None:
        return plain
    as_moments = holds(compare(left, right))
    return as_moments if only_moments else or_(as_moments, and_(or_(left.is_(None), right.is_(None)), plain))


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


def in_list(value: SqlValue, items: Sequence[SqlValue], negated: bool, zones: Zones) -> Bool:
    """Return whether a value is, or is not, one of several."""
    found = or_(false(), *(compared("==", value, item, zones) for item in items))
    return and_(defined(value), not_(found)) if negated else found


def in_value(value: SqlValue, whole: SqlValue, negated: bool, zones: Zones) -> Bool:
    """Return whether a value is, or is not, in a list kept as JSON, or part of a text."""
    found: list[Bool] = []
    apt: list[Bool] = []
    if whole.other is not None:
        moment = value.as_moment(zones) if value.moment is not None or value.can_name_moment else None
        kinds = {"number": value.number, "string": value.text, "boolean": value.truth, "moment": moment}
        for kind, expression in kinds.items():
            if expression is not None:
                read = zones if kind == "moment" else ()  # PostgreSQL refuses a parameter that nothing reads
                found.append(holds(ListHas(whole.other, expression, literal_column(f"'{kind}'", Text()), *read)))
        apt.append(and_(defined(value), holds(IsList(whole.other))))
    if whole.text is not None and value.text is not None:
        found.append(holds(TextHas(whole.text, value.text)))
        apt.append(and_(whole.text.is_not(None), value.text.is_not(None)))
    return and_(or_(false(), *apt), not_(or_(false(), *found))) if negated else or_(false(), *found)
