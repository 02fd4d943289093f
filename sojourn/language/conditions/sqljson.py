"""The few SQL expressions that differ between SQLite and PostgreSQL: JSON by kind, texts as moments.

Each reads one kind of value and is NULL for every other, so that the same comparison can be written
for both stores. A path is a literal inside the statement, so that an index can match it.
"""
# ruff: noqa: S608 (what is put together here are compiled expressions; every value is bound, and paths are escaped)

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Float, Text, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from sojourn.language.conditions.tree import Path
from sojourn.local_time import ISO_PATTERN
from sojourn.store.sqlite import MICROS
from sojourn.store.types import Json


class JsonNumber(FunctionElement[float]):
    """The number at a path of a JSON column."""

    type = Float()
    inherit_cache = True


class JsonText(FunctionElement[str]):
    """The text at a path of a JSON column."""

    type = Text()
    inherit_cache = True


class JsonTruth(FunctionElement[bool]):
    """The true or false at a path of a JSON column."""

    type = Boolean()
    inherit_cache = True


class JsonOther(FunctionElement[Any]):
    """The list or object at a path of a JSON column, as JSON."""

    type = Json
    inherit_cache = True


class NotEmpty(FunctionElement[bool]):
    """Whether a JsonOther holds anything."""

    type = Boolean()
    inherit_cache = True


class IsList(FunctionElement[bool]):
    """Whether a JsonOther is a list."""

    type = Boolean()
    inherit_cache = True


class ListHas(FunctionElement[bool]):
    """Whether a JsonOther is a list with a value; arguments: the list, the value, its kind as JSON names it; of moments also the zones."""

    type = Boolean()
    inherit_cache = True


class TextHas(FunctionElement[bool]):
    """Whether a text has another as its part."""

    type = Boolean()
    inherit_cache = True


class TextMicros(FunctionElement[int]):
    """The moment that an ISO 8601 text names, in microseconds since 1970; arguments: the text, the zone in which a date is its
    midnight, and the one that counts where that is missing or none."""

    type = BigInteger()
    inherit_cache = True


class Millionths(FunctionElement[float]):
    """A number in whole millionths, as a float."""

    type = Float()
    inherit_cache = True


class ByCodePoint(FunctionElement[str]):
    """A text whose order is that of its code points."""

    type = Text()
    inherit_cache = True


class Earliest(FunctionElement[int]):
    """The smallest of several numbers; each of them is there."""

    type = BigInteger()
    inherit_cache = True


def path_literal(path: Path) -> ColumnElement[str]:
    """Return a path as a literal that both stores read."""
    parts = "".join(f"[{part}]" if isinstance(part, int) else f'."{part}"' for part in path)
    return literal_column("'$" + parts.replace("'", "''") + "'", Text())


def _arguments(element: FunctionElement[Any], compiler: SQLCompiler, kw: dict[str, Any]) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


# -- SQLite ------------------------------------------------------------------------------------


@compiles(JsonNumber, "sqlite")
def _sqlite_number(element: JsonNumber, compiler: SQLCompiler, **kw: Any) -> str:
    column, path = _arguments(element, compiler, kw)
    return f"CASE WHEN json_type({column}, {path}) IN ('integer', 'real') THEN json_extract({column}, {path}) END"


@compiles(JsonText, "sqlite")
def _sqlite_text(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    column, path = _arguments(element, compiler, kw)
    return f"CASE WHEN json_type({column}, {path}) = 'text' THEN json_extract({column}, {path}) END"


@compiles(JsonTruth, "sqlite")
def _sqlite_truth(element: JsonTruth, compiler: SQLCompiler, **kw: Any) -> str:
    column, path = _arguments(element, compiler, kw)
    return f"CASE json_type({column}, {path}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"


@compiles(JsonOther, "sqlite")
def _sqlite_other(element: JsonOther, compiler: SQLCompiler, **kw: Any) -> str:
    column, path = _arguments(element, compiler, kw)
    return f"CASE WHEN json_type({column}, {path}) IN ('array', 'object') THEN json_extract({column}, {path}) END"


@compiles(NotEmpty, "sqlite")
def _sqlite_not_empty(element: NotEmpty, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = _arguments(element, compiler, kw)
    return f"({value} NOT IN ('[]', '{{}}'))"


@compiles(IsList, "sqlite")
def _sqlite_is_list(element: IsList, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = _arguments(element, compiler, kw)
    return f"(json_type({value}) = 'array')"


_SQLITE_KINDS = {
    "'number'": ("value", "'integer', 'real'"),
    "'string'": ("value", "'text'"),
    "'boolean'": ("CASE type WHEN 'true' THEN 1 ELSE 0 END", "'true', 'false'"),
}


@compiles(ListHas, "sqlite")
def _sqlite_list_has(element: ListHas, compiler: SQLCompiler, **kw: Any) -> str:
    values, value, kind, *zones = _arguments(element, compiler, kw)
    read, types = (_sqlite_micros_of("value", *zones), "'text'") if kind == "'moment'" else _SQLITE_KINDS[kind]
    found = f"SELECT {read} FROM json_each({values}) WHERE type IN ({types}) AND {read} IS NOT NULL"
    return f"(json_type({values}) = 'array' AND {value} IN ({found}))"


@compiles(TextHas, "sqlite")
def _sqlite_text_has(element: TextHas, compiler: SQLCompiler, **kw: Any) -> str:
    whole, part = _arguments(element, compiler, kw)
    return f"(instr({whole}, {part}) > 0)"


@compiles(TextMicros, "sqlite")
def _sqlite_micros(element: TextMicros, compiler: SQLCompiler, **kw: Any) -> str:
    return _sqlite_micros_of(*_arguments(element, compiler, kw))


def _sqlite_micros_of(text: str, zone: str, otherwise: str) -> str:
    # Written in SQL it is so deep that a few of them together overflow SQLite's parser.
    return f"{MICROS}({text}, {zone}, {otherwise})"


@compiles(Millionths, "sqlite")
def _sqlite_millionths(element: Millionths, compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = _arguments(element, compiler, kw)
    return f"round(CAST({number} AS REAL) * 1000000.0)"


@compiles(Earliest, "sqlite")
def _sqlite_earliest(element: Earliest, compiler: SQLCompiler, **kw: Any) -> str:
    return f"min({', '.join(_arguments(element, compiler, kw))})"


@compiles(ByCodePoint, "sqlite")
def _sqlite_by_code_point(element: ByCodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = _arguments(element, compiler, kw)
    return text


# -- PostgreSQL --------------------------------------------------------------------------------


def _postgres_at(element: FunctionElement[Any], compiler: SQLCompiler, kw: dict[str, Any]) -> str:
    column, path = _arguments(element, compiler, kw)
    return f"jsonb_path_query_first({column}, ('strict ' || {path})::jsonpath, '{{}}', true)"


@compiles(JsonNumber, "postgresql")
def _postgres_number(element: JsonNumber, compiler: SQLCompiler, **kw: Any) -> str:
    at = _postgres_at(element, compiler, kw)
    return f"CASE WHEN jsonb_typeof({at}) = 'number' THEN ({at})::double precision END"


@compiles(JsonText, "postgresql")
def _postgres_text(element: JsonText, compiler: SQLCompiler, **kw: Any) -> str:
    at = _postgres_at(element, compiler, kw)
    return f"""(CASE WHEN jsonb_typeof({at}) = 'string' THEN ({at}) #>> '{{}}' END COLLATE "C")"""


@compiles(JsonTruth, "postgresql")
def _postgres_truth(element: JsonTruth, compiler: SQLCompiler, **kw: Any) -> str:
    at = _postgres_at(element, compiler, kw)
    return f"CASE WHEN jsonb_typeof({at}) = 'boolean' THEN ({at})::boolean END"


@compiles(JsonOther, "postgresql")
def _postgres_other(element: JsonOther, compiler: SQLCompiler, **kw: Any) -> str:
    at = _postgres_at(element, compiler, kw)
    return f"CASE WHEN jsonb_typeof({at}) IN ('array', 'object') THEN {at} END"


@compiles(NotEmpty, "postgresql")
def _postgres_not_empty(element: NotEmpty, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = _arguments(element, compiler, kw)
    return f"({value} NOT IN ('[]'::jsonb, '{{}}'::jsonb))"


@compiles(IsList, "postgresql")
def _postgres_is_list(element: IsList, compiler: SQLCompiler, **kw: Any) -> str:
    (value,) = _arguments(element, compiler, kw)
    return f"(jsonb_typeof({value}) = 'array')"


@compiles(ListHas, "postgresql")
def _postgres_list_has(element: ListHas, compiler: SQLCompiler, **kw: Any) -> str:
    values, value, kind, *zones = _arguments(element, compiler, kw)
    text = "CASE WHEN jsonb_typeof(v) = 'string' THEN v #>> '{}' END"
    read = (
        _postgres_micros_of(text, *zones)
        if kind == "'moment'"
        else {
            "'number'": "CASE WHEN jsonb_typeof(v) = 'number' THEN v::double precision END",
            "'boolean'": "CASE WHEN jsonb_typeof(v) = 'boolean' THEN v::boolean END",
            "'string'": text,
        }[kind]
    )
    rows = f"jsonb_array_elements(CASE WHEN jsonb_typeof({values}) = 'array' THEN {values} ELSE '[]' END) AS item(v)"
    return f"EXISTS (SELECT 1 FROM {rows} WHERE {read} = {value})"


@compiles(TextHas, "postgresql")
def _postgres_text_has(element: TextHas, compiler: SQLCompiler, **kw: Any) -> str:
    whole, part = _arguments(element, compiler, kw)
    return f"(strpos({whole}, {part}) > 0)"


@compiles(TextMicros, "postgresql")
def _postgres_micros(element: TextMicros, compiler: SQLCompiler, **kw: Any) -> str:
    return _postgres_micros_of(*_arguments(element, compiler, kw))


def _postgres_micros_of(text: str, zone: str, otherwise: str) -> str:
    # Cut to microseconds (PostgreSQL would round), and say UTC where no zone is said.
    cut = r"regexp_replace(v, '(\.[0-9]{6})[0-9]+', '\1')"
    zoned = rf"CASE WHEN v ~ '(Z|[+-][0-9]{{2}}:[0-9]{{2}})$' AND length(v) > 10 THEN {cut} ELSE {cut} || 'Z' END"
    # Of a midnight that comes twice PostgreSQL takes the second, and we the first, which lies an hour before.
    known = f"CASE WHEN pg_input_is_valid('2000-01-01 00:00 ' || {zone}, 'timestamptz') THEN {zone} ELSE {otherwise} END"
    midnight = (
        "SELECT CASE WHEN (m - interval '1 hour') AT TIME ZONE n >= w::timestamp THEN m - interval '1 hour' ELSE m END"
        f" FROM (SELECT w::timestamp AT TIME ZONE n AS m, n FROM (SELECT {known} AS n) AS named) AS later"
    )
    return (
        "(SELECT CASE WHEN pg_input_is_valid(w, 'timestamptz') THEN (extract(epoch FROM"
        f" CASE WHEN length(w) = 10 THEN ({midnight}) ELSE w::timestamptz END) * 1000000)::bigint END"
        f" FROM (SELECT CASE WHEN length(v) = 10 THEN v ELSE {zoned} END AS w"
        f" FROM (SELECT {text} AS v) AS given WHERE v ~ '{ISO_PATTERN}' AND v !~ '[T ]24') AS whole)"
    )


@compiles(Millionths, "postgresql")
def _postgres_millionths(element: Millionths, compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = _arguments(element, compiler, kw)
    return f"trunc({number} * 1000000.0 + sign({number}) * 0.5)"


@compiles(Earliest, "postgresql")
def _postgres_earliest(element: Earliest, compiler: SQLCompiler, **kw: Any) -> str:
    return f"least({', '.join(_arguments(element, compiler, kw))})"


@compiles(ByCodePoint, "postgresql")
def _postgres_by_code_point(element: ByCodePoint, compiler: SQLCompiler, **kw: Any) -> str:
    (text,) = _arguments(element, compiler, kw)
    return f'({text} COLLATE "C")'
