"""People and events as an export writes them, page by page in a stable order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, literal, select, true, tuple_

from sojourn.customers.computed import profile_facts
from sojourn.customers.consent_standing import Consent, standing_of
from sojourn.customers.history import StoredHistory
from sojourn.customers.identifying import NOBODYS
from sojourn.customers.place import GUESSED
from sojourn.customers.traits import USUAL_DEVICE, USUAL_HOUR
from sojourn.language.conditions.expression import Expression
from sojourn.language.identity_rules import ANONYMOUS, USER
from sojourn.store.database import Database
from sojourn.store.tables import consents, events, identifiers, profiles, segment_members
from sojourn.store.types import from_micros

PAGE = 1_000
Record = dict[str, Any]
_SCALARS = ("zone", "locale", "first_seen", "last_seen")
_OBSERVED, _COUNTRY = (USUAL_DEVICE, USUAL_HOUR), "country"
EVENT_COLUMNS = ("message_id", "user_id", "anonymous_id", "external_ids", "type", "event", "time", "properties")


def iso(moment: datetime) -> str:
    """Return a moment as an export writes it: exact, in UTC."""
    return moment.isoformat().replace("+00:00", "Z")


class PeopleOut:
    """The people of an export, in the order of their profile ids.

    Args:
        database: the store.
        where: whom; a condition in SQL about `profiles`.
        segment: only its members; each bears since when.
        computed: computed traits to work out and show.
        now: the shop's present moment, that windows of computed traits are relative to.
    """

    def __init__(
        self,
        database: Database,
        where: ColumnElement[bool] | None = None,
        segment: str | None = None,
        computed: Mapping[str, Expression] | None = None,
        now: datetime | None = None,
    ) -> None:
        self.computed, self._now = computed or {}, now
        self._database = database
        self._where = and_(profiles.c.merged_into.is_(None), true() if where is None else where)
        self._segment = segment

    def _select(self, *columns: Any) -> Select[Any]:
        query = select(*columns).where(self._where)
        if self._segment is None:
            return query.select_from(profiles)
        members = and_(segment_members.c.profile_id == profiles.c.id, segment_members.c.segment == self._segment)
        return query.select_from(profiles.join(segment_members, members))

    def count(self) -> int:
        """Return how many people there are."""
        return int(self._database.read_now(lambda connection: connection.execute(self._select(func.count())).scalar_one()))

    def pages(self) -> Iterator[list[Record]]:
        """Return the people as full records: what an import makes an equal profile of."""
        after = ""
        while page := self._database.read_now(self._page, after):
            after = page[-1][0]
            yield [record for _, record in page]

    def traits(self) -> list[str]:
        """Return the names of all traits that any of them has, sorted."""
        return sorted(self._database.read_now(self._names, profiles.c.traits) - set(_OBSERVED))

    def observed(self) -> list[str]:
        """Return the names of what follows from the rest and is known of any of them."""
        names = self._database.read_now(self._names, profiles.c.traits)
        guessed = self._select(func.count()).where(profiles.c.trait_times["traits"][_COUNTRY].as_integer() == GUESSED)
        has_guesses = _COUNTRY in names and self._database.read_now(lambda connection: connection.execute(guessed).scalar_one())
        return [*(name for name in _OBSERVED if name in names), *([_COUNTRY] if has_guesses else [])]

    def kinds(self) -> list[str]:
        """Return the kinds of identifiers that any of them has, beside user ids and anonymous ids, sorted."""

        def work(connection: Connection) -> set[str]:
            query = self._select(identifiers.c.kind).distinct().where(identifiers.c.profile_id == profiles.c.id)
            return {kind.removeprefix(NOBODYS) for kind in connection.execute(query).scalars()}

        return sorted(self._database.read_now(work) - {USER, ANONYMOUS})

    def purposes(self) -> list[str]:
        """Return the purposes of consent that any of them spoke about, sorted."""

        def work(connection: Connection) -> set[str]:
            query = self._select(consents.c.purpose).distinct().where(consents.c.profile_id == profiles.c.id)
            return set(connection.execute(query).scalars())

        return sorted(self._database.read_now(work))

    def _names(self, connection: Connection, column: ColumnElement[Any]) -> set[str]:
        keys = _keys(connection, column)
        return set(connection.execute(self._select(keys.c.key).join(keys, true()).distinct()).scalars())

    def _page(self, connection: Connection, after: str) -> list[tuple[str, Record]]:
        columns = (profiles,) if self._segment is None else (profiles, segment_members.c.since)
        query = self._select(*columns).where(profiles.c.id > after).order_by(profiles.c.id).limit(PAGE)
        rows = connection.execute(query).all()
        ids = [row.id for row in rows]
        known: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in connection.execute(select(identifiers).where(identifiers.c.profile_id.in_(ids)).order_by(*_IDENTIFIER_ORDER)):
            known[row.profile_id].append(row)
        agreed: dict[str, list[Row[Any]]] = defaultdict(list)
        words = select(consents).where(consents.c.profile_id.in_(ids), consents.c.pending == false())
        for row in connection.execute(words.order_by(*_CONSENT_ORDER)):
            agreed[row.profile_id].append(row)
        return [(row.id, {**_full(row, known[row.id], agreed[row.id]), **self._worked_out(connection, row)}) for row in rows]

    def _worked_out(self, connection: Connection, row: Row[Any]) -> Record:
        if not self.computed or self._now is None:
            return {}
        facts = profile_facts(row.traits, self.computed, StoredHistory(connection, row.id), self._now)
        values = {name: facts[name] for name in self.computed if name in facts}
        return {"computed": {name: iso(value) if isinstance(value, datetime) else value for name, value in values.items()}}


_IDENTIFIER_ORDER = (identifiers.c.since, identifiers.c.kind, identifiers.c.value)
_CONSENT_ORDER = (consents.c.at, consents.c.granted.desc(), consents.c.id)  # the last of a purpose is the one that stands


def _keys(connection: Connection, column: ColumnElement[Any]) -> Any:
    """Return a table of the keys of each row's JSON object."""
    if connection.dialect.name == "sqlite":
        return func.json_each(column).table_valued("key", name="named")
    return func.jsonb_object_keys(column).table_valued("key", name="named").render_derived()


def _full(row: Row[Any], known: Sequence[Row[Any]], agreed: Sequence[Row[Any]]) -> Record:
    times = row.trait_times
    said = times.get("traits", {})
    observed = {name for name in _OBSERVED if name in row.traits and name not in said}
    if said.get(_COUNTRY) == GUESSED:
        observed.add(_COUNTRY)
    record: Record = {
        "profile_id": row.id,
        "identifiers": [
            {"kind": one.kind, "value": one.value, "since": iso(one.since), **({"shared": True} if one.shared else {})} for one in known
        ],
        "traits": {name: value for name, value in row.traits.items() if name not in observed} if observed else row.traits,
        "trait_times": {name: iso(from_micros(micros)) for name, micros in said.items() if name not in observed},
        "consents": [
            {
                "id": one.id,
                "purpose": one.purpose,
                "granted": one.granted,
                "at": iso(one.at),
                "source": one.source,
                "wording": one.wording,
                "own": one.own,
                "stream": one.stream,
                "again_at": None if one.again_at is None else iso(one.again_at),
            }
            for one in agreed
        ],
        "first_seen": iso(row.first_seen),
        "last_seen": iso(row.last_seen),
    }
    if observed:
        record["observed"] = {name: row.traits[name] for name in sorted(observed) if name in row.traits}
    for name in ("zone", "locale"):
        value = getattr(row, name)
        if value is not None:
            record[name] = value
            if name in times:
                record[f"{name}_time"] = iso(from_micros(times[name]))
    if "since" in row._mapping:
        record["segment_since"] = iso(row.since)
    return record


def flat(record: Record) -> Record:
    """Return a person's full record as a table shows it: `traits.city`, `consent.marketing`; of several ids, the first.

    Ids beyond the first of a kind, the dates of traits and the history of consent are in the full record alone.
    """
    shown: Record = {name: record[name] for name in (*_SCALARS, "profile_id", "segment_since") if name in record}
    for one in record["identifiers"]:
        kind = one["kind"].removeprefix(NOBODYS)
        if not one.get("shared"):
            shown.setdefault(kind if kind in (USER, ANONYMOUS) else f"external.{kind}", one["value"])
    for group in ("observed", "computed"):
        shown.update({f"{group}.{name}": value for name, value in record.get(group, {}).items()})
    shown.update({f"traits.{name}": value for name, value in record["traits"].items()})
    said: dict[str, list[Consent]] = defaultdict(list)
    for one in record["consents"]:
        said[one["purpose"]].append(_read(one))
    shown.update({f"consent.{purpose}": standing_of(words).granted for purpose, words in said.items()})
    return {**record, **shown}


def _read(one: Mapping[str, Any]) -> Consent:
    until = one.get("again_at")
    return Consent(
        one["id"], one["purpose"], one["granted"], datetime.fromisoformat(one["at"]), one["source"], one["wording"], one["own"],
        stream=one.get("stream"), until=None if until is None else datetime.fromisoformat(until),
    )  # fmt: skip


def flat_columns(people: PeopleOut) -> list[str]:
    """Return the columns of a table of people: ids, traits, consents, and what is known beside."""
    return [
        USER, ANONYMOUS, *(f"external.{kind}" for kind in people.kinds()), *(f"traits.{name}" for name in people.traits()),
        *(f"observed.{name}" for name in people.observed()), *(f"computed.{name}" for name in people.computed),
        *(f"consent.{name}" for name in people.purposes()), *_SCALARS,
    ]  # fmt: skip


class EventsOut:
    """The events of an export, person by person and in the order in which they happened.

    Args:
        database: the store.
        where: of which people; a condition in SQL about `profiles`.
    """

    def __init__(self, database: Database, where: ColumnElement[bool] | None = None) -> None:
        self._database = database
        self._where = true() if where is None else where
        self._from = events.join(profiles, profiles.c.id == events.c.profile_id)

    def count(self) -> int:
        """Return how many events there are."""
        query = select(func.count()).select_from(self._from).where(self._where)
        return int(self._database.read_now(lambda connection: connection.execute(query).scalar_one()))

    def pages(self) -> Iterator[list[Record]]:
        """Return the events as records that an import takes."""
        after: tuple[Any, ...] | None = None
        while rows := self._database.read_now(self._page, after):
            yield [record for _, record in rows]
            after = rows[-1][0]

    def properties(self) -> list[str]:
        """Return the names of all properties that any of them has, sorted."""

        def work(connection: Connection) -> set[str]:
            keys = _keys(connection, events.c.properties)
            return set(
                connection.execute(select(keys.c.key).select_from(self._from.join(keys, true())).where(self._where).distinct()).scalars()
            )

        return sorted(self._database.read_now(work))

    def _page(self, connection: Connection, after: tuple[Any, ...] | None) -> list[tuple[tuple[Any, ...], Record]]:
        order = (events.c.profile_id, events.c.time, events.c.id)
        query = select(events).select_from(self._from).where(self._where).order_by(*order).limit(PAGE)
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*(literal(value, column.type) for value, column in zip(after, order, strict=True))))
        rows = connection.execute(query).all()
        addresses: dict[str, dict[str, str]] = defaultdict(dict)
        of_these = and_(identifiers.c.profile_id.in_({row.profile_id for row in rows}), identifiers.c.shared == false())
        for row in connection.execute(select(identifiers).where(of_these).order_by(*_IDENTIFIER_ORDER)):
            addresses[row.profile_id].setdefault(row.kind.removeprefix(NOBODYS), row.value)
        return [((row.profile_id, row.time, row.id), _event(row, addresses[row.profile_id])) for row in rows]


def _event(row: Row[Any], address: dict[str, str]) -> Record:
    record: Record = {"message_id": row.id}
    kind = next((kind for kind in ("user_id", "anonymous_id") if kind in address), None)
    if kind is not None:
        record[kind] = address[kind]
    elif address:
        other = next(iter(address))
        record["external_ids"] = {other: address[other]}
    record["type"] = row.kind
    if row.kind == "track":
        record["event"] = row.name
    return {**record, "time": iso(row.time), "properties": row.properties}


def flat_event(record: Record) -> Record:
    """Return an event as a table shows it: `properties.price`."""
    return {**record, **{f"properties.{name}": value for name, value in record["properties"].items()}}
