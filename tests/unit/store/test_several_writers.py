"""What SQLite's one writer keeps by itself holds with several on PostgreSQL: each test provokes the race that it is about."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from several import FOLDER, NOW, Several, ann_id, asleep, event, on_postgresql, said, side_by_side
from sqlalchemy import Connection, func, select

from sojourn.customers import profiles
from sojourn.customers.identity import resolve
from sojourn.intake.appender import append
from sojourn.intake.emit import emit
from sojourn.intake.endings import Ending, mark_ended
from sojourn.intake.process import position, process_batch
from sojourn.language.loader import load
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.last import do_last
from sojourn.store.tables import definitions, entries, events, inbound, outbox
from sojourn.store.tables import profiles as profiles_table
from sojourn.travel.registry import Registry

# -- the log -----------------------------------------------------------------------------------------


def _follow(several: Several, writers: int = 4, each: int = 40) -> tuple[list[str], list[str]]:
    """Append from several processes while a router's cursor follows; return what was accepted, and what it saw."""
    dice = random.Random(7)
    pauses = {w: [dice.uniform(0, 0.004) for _ in range(each)] for w in range(writers)}
    done = threading.Event()
    accepted: list[str] = []

    def write(writer: int) -> None:
        database = several()

        def one(connection: Connection, number: int) -> list[str]:
            found = append(connection, [event(f"{writer}-{number}")])
            asleep(connection, pauses[writer][number])
            return found

        for number in range(each):
            accepted.extend(database.write_now(one, number))

    def follow() -> list[str]:
        database, cursor, seen = several(), 0, []
        ending = False
        while True:
            query = select(inbound.c.seq, inbound.c.message_id).where(inbound.c.seq > cursor).order_by(inbound.c.seq).limit(5)
            rows = database.read_now(lambda c, query=query: c.execute(query).all())
            seen += [row.message_id for row in rows]
            cursor = rows[-1].seq if rows else cursor
            if ending and not rows:
                return seen
            ending = done.is_set()

    def write_all() -> None:
        try:
            side_by_side(*(lambda w=w: write(w) for w in range(writers)))
        finally:
            done.set()

    _, seen = side_by_side(write_all, follow)
    return accepted, seen


def test_a_cursor_that_follows_the_log_misses_nothing_however_many_write(several: Several) -> None:
    accepted, seen = _follow(several)
    assert len(accepted) == 160
    assert sorted(seen) == sorted(accepted)


@on_postgresql
def test_without_its_lock_a_cursor_would_miss_events(several: Several, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "hold_log", lambda connection: None)
    accepted, seen = _follow(several)
    assert len(seen) < len(accepted), "the race was not met: the test above proves nothing"


def test_an_event_of_ours_is_the_last_thing_that_its_transaction_does(several: Several) -> None:
    database, order = several(), []

    def work(connection: Connection) -> None:
        do_last(connection, lambda c, items: order.append(("last", list(items))), 1)
        do_last(connection, lambda c, items: order.append(("another", list(items))), 2)
        order.append("work")

    def failing(connection: Connection) -> None:
        do_last(connection, lambda c, items: order.append("never"), 1)
        raise KeyError

    database.write_now(work)
    with pytest.raises(KeyError):
        database.write_now(failing)
    database.write_now(lambda c: None)
    assert order == ["work", ("last", [1]), ("another", [2])]


# -- routers -----------------------------------------------------------------------------------------


def test_several_routers_take_turns_and_route_every_event_once(several: Several) -> None:
    registry = Registry(load(FOLDER))
    database = several()
    database.write_now(registry.store, NOW)
    consent = {"consent": {"categoryPreferences": {"marketing": True}}}
    for number in range(60):
        said(database, "identify", messageId=f"i{number}", userId=f"p{number % 20}", traits={"n": number}, context=consent)
        said(database, "track", messageId=f"c{number}", userId=f"p{number % 20}", event="Cart Started")

    def route() -> int:
        mine, own = 0, several()
        while own.read_now(position) < 120:
            mine += own.write_now(process_batch, registry, NOW, 7).events
        return mine

    shares = side_by_side(route, route, route)
    assert sum(shares) == 120
    assert database.read_now(lambda c: c.execute(select(func.count()).select_from(events)).scalar()) == 120
    calls = database.read_now(lambda c: c.execute(select(outbox.c.kind, outbox.c.workflow_id)).all())
    assert len({row.workflow_id for row in calls if row.kind == "start"}) == len([row for row in calls if row.kind == "start"]) == 20


def test_several_processes_may_keep_their_definitions_at_once(several: Several) -> None:
    opened = [several() for _ in range(4)]
    side_by_side(*(lambda d=d: d.write_now(Registry(load(FOLDER)).store, NOW) for d in opened))
    kept = opened[0].read_now(lambda c: c.execute(select(definitions.c.version)).scalars().all())
    assert len(kept) == len(set(kept)) == len(Registry(load(FOLDER)).live)


# -- people ------------------------------------------------------------------------------------------


def test_what_a_journey_sets_and_what_the_router_learns_are_both_kept(several: Several, ann: Database) -> None:
    registry = Registry(load(FOLDER))
    who = ann.read_now(ann_id)
    router, worker = several(), several()

    def learn() -> None:
        for number in range(25):
            said(router, "identify", messageId=f"l{number}", userId="u-ann", traits={f"learnt{number}": number})
            router.write_now(process_batch, registry, NOW)

    def set_traits() -> None:
        for number in range(25):
            worker.write_now(profiles.set_traits, who, {f"set{number}": number}, NOW)

    side_by_side(learn, set_traits)
    traits = ann.read_now(profiles.load, who).traits
    assert {name for name in traits if name.startswith(("learnt", "set"))} == {f"{w}{n}" for w in ("learnt", "set") for n in range(25)}


def test_an_entry_ends_once_whoever_ends_it_first(several: Several, ann: Database) -> None:
    opened = [several() for _ in range(4)]
    won = side_by_side(*(lambda d=d, i=i: d.write_now(mark_ended, [Ending("entry", f"end{i}", "")], NOW) for i, d in enumerate(opened)))
    assert sum(won) == 1
    outcome = ann.read_now(lambda c: c.execute(select(entries.c.outcome)).scalar())
    assert outcome == f"end{won.index(1)}"


def test_a_crowd_of_writers_loses_nothing_and_none_of_them_fails(several: Several) -> None:
    """Events, routers, settings and our own events at once, over few people, so that everyone meets everyone."""
    registry = Registry(load(FOLDER))
    database = several()
    database.write_now(registry.store, NOW)
    everyone = [f"p{number}" for number in range(6)]
    for who in everyone:
        said(database, "identify", messageId=f"hello {who}", userId=who, traits={"email": f"{who}@x.example"})
    database.write_now(process_batch, registry, NOW)
    people = {who: database.read_now(profiles.find, who) for who in everyone}
    over = threading.Event()

    def accept(writer: int) -> None:
        own, dice = several(), random.Random(writer)
        for number in range(30):
            chosen = dice.sample(everyone, 3)
            batch = [event(f"{writer}-{number}-{who}", who, anonymous_id=f"{who}-{writer}") for who in chosen]
            own.write_now(append, batch)

    def route() -> None:
        own = several()
        while not over.is_set() or own.read_now(position) < own.read_now(_last):
            own.write_now(process_batch, registry, NOW, 10)

    def live(worker: int) -> None:
        own, dice = several(), random.Random(100 + worker)

        def work(connection: Connection, who: str, number: int) -> None:
            emit(connection, _ours(people[who], f"ours-{worker}-{number}"))  # early: it must not keep the log from others
            profiles.set_traits(connection, str(people[who]), {f"w{worker}": number}, NOW)

        for number in range(30):
            own.write_now(work, dice.choice(everyone), number)

    def write() -> None:
        try:
            side_by_side(*(lambda w=w: accept(w) for w in range(2)), *(lambda w=w: live(w) for w in range(2)))
        finally:
            over.set()

    side_by_side(write, route, route)
    kept = database.read_now(lambda c: set(c.execute(select(events.c.id)).scalars()))
    assert len(kept) == 6 + 2 * 30 * 3 + 2 * 30
    assert database.read_now(lambda c: c.execute(select(func.count()).select_from(profiles_table)).scalar()) == 6


def _last(connection: Connection) -> int:
    return int(connection.execute(select(func.max(inbound.c.seq))).scalar() or 0)


def _ours(profile_id: str | None, message_id: str) -> Any:
    from sojourn.delivery.engagement import Engagement

    assert profile_id is not None
    return Engagement(message_id=message_id, name="Email Opened", time=NOW, profile_id=profile_id, user_id=None, anonymous_id=None)


def test_two_who_meet_someone_new_at_once_make_one_person(several: Several) -> None:
    one, two = several(), several()

    def meet(database: Database) -> str:
        def work(connection: Connection) -> str:
            locks.router_turn(connection)
            return resolve(connection, event("x", "u-new"))[0]

        return database.write_now(work)

    assert len(set(side_by_side(lambda: meet(one), lambda: meet(two)))) == 1
