"""Column types that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, Dialect, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Json = JSON().with_variant(JSONB(), "postgresql")
OrderedJson = JSON()  # where the order of keys means something: jsonb would sort them


@compiles(String, "postgresql")
def _unbounded(_type: String, _compiler: Any, **_: Any) -> str:
    """SQLite minds no length, so PostgreSQL does not either: what is too long is refused at the door, in words."""
    return "VARCHAR"


def dump_json(value: Any) -> str:
    """Return a value as JSON, as both stores keep it."""
    return orjson.dumps(value).decode()


NullableJson = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")  # None is NULL, not JSON's null


def to_micros(moment: datetime) -> int:
    """Return microseconds since 1970 of an aware moment."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the aware UTC moment at microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


class Moment(TypeDecorator[datetime]):
    """An aware UTC moment, kept as microseconds since 1970: compares and subtracts alike everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Turn an aware moment into its number; a naive one is an error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn the number back into an aware UTC moment."""
        return None if value is None else from_micros(int(value))
