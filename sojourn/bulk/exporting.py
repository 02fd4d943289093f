"""An export from its first row to its last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from sojourn.bulk.files import GZIP, Format, format_of
from sojourn.bulk.outgoing import EVENT_COLUMNS, EventsOut, PeopleOut, Record, flat, flat_columns, flat_event
from sojourn.bulk.problems import UnreadableFile
from sojourn.bulk.writers import STDOUT, open_writer, writing_to
from sojourn.errors import NotFound
from sojourn.language.conditions import Condition
from sojourn.language.conditions.expression import Expression
from sojourn.language.problems import unknown
from sojourn.store.database import Database
from sojourn.store.tables import segment_members

PARQUET_PEOPLE = (
    "profile_id", "user_id", "anonymous_id", "identifiers", "traits", "trait_times", "observed", "consents",
    "zone", "zone_time", "locale", "locale_time", "first_seen", "last_seen",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What is to be exported.

    Attributes:
        what: `profiles` or `events`.
        path: where to; `-` for standard output.
        format: where the path does not tell.
        columns: of a table, or the keys of a line of JSONL; all where none are given.
        where: of which people.
        segment: members of which segment only.
        computed: computed traits to work out and show beside the others.
        declared: segments that have a definition, so that one in which nobody is gives no rows, and no error.
    """

    what: str
    path: Path
    format: Format | None = None
    columns: Sequence[str] | None = None
    where: Condition | None = None
    segment: str | None = None
    computed: Mapping[str, Expression] | None = None
    declared: Collection[str] = ()


def checked_where(condition: Condition) -> Condition:
    """Return a condition that can be asked of people at rest.

    Raises:
        UnreadableFile: it asks what only an entry or an event can tell.
    """
    names = condition.names
    if names.event_properties or names.scores or names.engagements:
        raise UnreadableFile("--where asks about people: traits, history and segments; `event.…`, scores and sends are not known here")
    return condition


def export(
    database: Database,
    wanted: Wanted,
    now: datetime,
    segments: Mapping[str, Condition],
    begun: Callable[[int], None] = lambda _: None,
    advanced: Callable[[int], None] = lambda _: None,
) -> int:
    """Write what is wanted, and return how many rows that were.

    Args:
        database: the store.
        wanted: what.
        now: the shop's present moment, that windows are relative to.
        segments: the conditions of segments.
        begun: told how many rows there are.
        advanced: told how many were written since it was told last.

    Raises:
        UnreadableFile: the file cannot be written, or its ending tells no format.
        NotFound: there is no such segment.
    """
    where: ColumnElement[bool] | None = None if wanted.where is None else wanted.where.sql(now, segments)
    if wanted.segment is not None:
        database.read_now(_check_segment, wanted.segment, {*segments, *wanted.declared})
    format_ = wanted.format or (Format.jsonl if wanted.path == STDOUT else format_of(wanted.path))
    if format_ is Format.parquet and wanted.path.suffix == GZIP:
        raise UnreadableFile("Parquet compresses by itself; leave .gz out")
    source: PeopleOut | EventsOut
    if wanted.what == "events":
        source = EventsOut(database, where)
        change: Callable[[Record], Record] = flat_event
    else:
        source = PeopleOut(database, where, wanted.segment, wanted.computed, now)
        change = flat
    begun(source.count())
    columns = list(wanted.columns) if wanted.columns else _columns(source, format_, wanted.segment is not None)
    written = 0
    with writing_to(wanted.path) as out:
        writer = open_writer(format_, out, columns)
        for page in source.pages():
            writer.write(_shaped(page, format_, columns if wanted.columns or format_ is not Format.jsonl else None, change))
            written += len(page)
            advanced(len(page))
        writer.close()
    return written


def _shaped(page: list[Record], format_: Format, columns: Sequence[str] | None, change: Callable[[Record], Record]) -> list[dict[str, Any]]:
    if columns is None:
        return page
    changed = [change(record) for record in page]
    if format_ is not Format.jsonl:
        return changed
    return [{column: record[column] for column in columns if record.get(column) is not None} for record in changed]


def _columns(source: PeopleOut | EventsOut, format_: Format, of_segment: bool) -> list[str] | None:
    if format_ is Format.jsonl:
        return None
    if isinstance(source, EventsOut):
        if format_ is Format.parquet:
            return list(EVENT_COLUMNS)
        return [*EVENT_COLUMNS[:-1], *(f"properties.{name}" for name in source.properties())]
    columns = [*PARQUET_PEOPLE, *(["computed"] if source.computed else [])] if format_ is Format.parquet else flat_columns(source)
    return [*columns, "segment_since"] if of_segment else columns


def _check_segment(connection: Connection, name: str, declared: set[str]) -> None:
    if name in declared:
        return
    there = set(connection.execute(select(segment_members.c.segment).distinct()).scalars())
    if name not in there:
        raise NotFound(unknown("segment", name, there | declared))
