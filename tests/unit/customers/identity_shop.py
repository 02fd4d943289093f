"""The log, the people that are made of it, and what can be asked of them whatever their random ids are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import orjson
from sqlalchemy import or_, select

from sojourn.customers import identity, profiles
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope
from sojourn.store import tables as t
from sojourn.store.database import Database

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = START + timedelta(days=30)
LATER = NOW + timedelta(days=1)


def event(message_id, kind="track", at=0, name=None, *, crm=None, **given):
    """Return an event some minutes after the start; `crm` is an id in `context.externalIds`."""
    time = START + timedelta(minutes=at)
    if crm is not None:
        given["context"] = {**given.get("context", {}), "externalIds": [{"type": "crm_id", "id": crm}]}
    called = name or (kind if kind != "track" else "Product Viewed")
    return Envelope(message_id=message_id, kind=kind, name=called, time=time, received_at=NOW, **given)


class People:
    """A store, the log in it, and the router's place in the log; nothing is routed."""

    def __init__(self, rules=identity.DEFAULT_RULES):
        self.db = Database("sqlite://")
        self.rules = rules
        self._made = count()
        self.seq = 0

    def take(self, *envelopes):
        def work(connection):
            append(connection, envelopes)
            rows = connection.execute(select(t.inbound).where(t.inbound.c.seq > self.seq).order_by(t.inbound.c.seq)).all()
            self.seq = rows[-1].seq if rows else self.seq
            return absorb(connection, [InboundRow.of(row) for row in rows], NOW, self._new_id, identity=self.rules)

        return self.db.write_now(work)

    def _new_id(self):
        return f"profile-{next(self._made):04}"  # not random: generated cases choose among them

    def again(self):
        """Absorb the whole log once more, as after a cursor that was set back."""

        def work(connection):
            rows = connection.execute(select(t.inbound).order_by(t.inbound.c.seq)).all()
            return absorb(connection, [InboundRow.of(row) for row in rows], NOW, self._new_id, identity=self.rules)

        return self.db.write_now(work)

    def merge(self, loser, winner, **how):
        return self.db.write_now(identity.merge, self.id(loser), self.id(winner), "they wrote to us", LATER, rules=self.rules, **how)

    def unmerge(self, profile_id):
        return self.db.write_now(identity.unmerge, profile_id, "a mistake", LATER)

    def apart(self, one, other):
        return self.db.write_now(identity.keep_apart, self.id(one), self.id(other), "not the same", LATER)

    def ask(self, query):
        return self.db.read_now(lambda connection: connection.execute(query).all())

    def id(self, reference):
        return self.db.read_now(profiles.find, reference)

    def person(self, reference):
        return self.db.read_now(lambda connection: profiles.load(connection, profiles.find(connection, reference)))

    def history(self, reference):
        query = select(t.events.c.id).where(t.events.c.profile_id == self.id(reference)).order_by(t.events.c.time, t.events.c.id)
        return [row.id for row in self.ask(query)]

    def names(self, reference):
        return set(self.db.read_now(profiles.external_ids, self.id(reference)))

    def refused(self):
        return [(row.kind, row.value, row.reason) for row in self.ask(select(t.refused_merges).order_by(t.refused_merges.c.at))]

    def everything(self):
        return {table.name: sorted(map(repr, self.ask(select(table)))) for table in t.metadata.sorted_tables}

    def world(self):
        """Everyone, by what does not differ from life to life."""
        found = []
        for row in self.ask(select(t.profiles).where(t.profiles.c.merged_into.is_(None))):
            names = self.ask(select(t.identifiers.c.kind, t.identifiers.c.value).where(t.identifiers.c.profile_id == row.id))
            events = self.ask(select(t.events.c.id).where(t.events.c.profile_id == row.id))
            said = self.ask(select(t.consents.c.id, t.consents.c.granted, t.consents.c.at).where(t.consents.c.profile_id == row.id))
            facts = orjson.dumps([row.traits, row.trait_times], option=orjson.OPT_SORT_KEYS)
            seen = (row.first_seen, row.last_seen)
            found.append(
                (sorted(map(tuple, names)), facts, row.zone, row.locale, seen, sorted(map(tuple, said)), sorted(r.id for r in events))
            )
        return sorted(found, key=repr)

    def check(self):
        """Hold what is always so: no chains, rows with those who live on, and a view that is the sum of own facts."""
        rows = {row.id: row for row in self.ask(select(t.profiles))}
        for row in rows.values():
            assert row.merged_into is None or rows[row.merged_into].merged_into is None
        for table in (t.events, t.identifiers, t.consents):
            for row in self.ask(select(table)):
                assert rows[row.profile_id].merged_into is None
                assert row.origin_id is None or rows[row.origin_id].merged_into == row.profile_id
        for row in rows.values():
            if row.merged_into is None:
                same = self.ask(select(t.profiles).where(or_(t.profiles.c.id == row.id, t.profiles.c.merged_into == row.id)))
                own = {one.id: profiles.own_of(one) for one in same}
                summed = own.pop(row.id)
                for other in own.values():
                    summed.absorb(other)
                shown = profiles.of_row(row)
                assert (summed.traits, summed.times, summed.zone, summed.locale) == (shown.traits, shown.times, shown.zone, shown.locale)
                assert (summed.first_seen, summed.last_seen) == (shown.first_seen, shown.last_seen)
