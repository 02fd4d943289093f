"""What SQLite's one writer keeps by itself holds with several on PostgreSQL: each test provokes the race that it is about."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import stores
from sqlalchemy import Connection, func, insert, select

from sojourn.customers import profiles
from sojourn.customers.identity import resolve
from sojourn.delivery import sending
from sojourn.delivery.ledger import SendOrder, send_key
from sojourn.delivery.outcomes import Claimed, Held, Suppressed
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.rules import Cap, GateRules
from sojourn.delivery.tokens import Links, Tokens
from sojourn.errors import NotCaughtUp
from sojourn.intake.appender import append
from sojourn.intake.emit import emit
from sojourn.intake.endings import Ending, mark_ended
from sojourn.intake.envelope import Envelope, read_call
from sojourn.intake.process import position, process_batch
from sojourn.language.loader import load
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.last import do_last
from sojourn.store.tables import consents, definitions, entries, events, inbound, outbox
from sojourn.store.tables import profiles as profiles_table
from sojourn.travel.registry import Registry

FOLDER = Path(__file__).parents[2] / "real/journeys_faults"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PATIENCE = 20.0  # seconds; a test that waits longer has failed

on_postgresql = pytest.mark.skipif(stores.STORE != "postgresql", reason="a race that SQLite's one writer does not know")


class Several:
    """Several processes' databases over one store."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: list[Database] = []

    def __call__(self) -> Database:
        self._opened.append(Database(self._url, durable=False))
        return self._opened[-1]

    def close(self) -> None:
        for database in self._opened:
            database.close_now()


@pytest.fixture
def several(store_url: str) -> Iterator[Several]:
    opened = Several(store_url)
    yield opened
    opened.close()


def side_by_side(*jobs: Callable[[], Any]) -> list[Any]:
    """Run jobs at once, each in a thread, and return what they came to."""
    barrier = threading.Barrier(len(jobs))

    def begin(job: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(begin, jobs))


def event(message_id: str, user_id: str = "u-ann", name: str = "Product Viewed", **given: Any) -> Envelope:
    return Envelope(message_id=message_id, kind="track", name=name, user_id=user_id, time=NOW, received_at=NOW, **given)


def said(database: Database, kind: str, **call: Any) -> None:
    database.write_now(append, read_call(kind, orjson.dumps(call), received_at=NOW).envelopes)


def asleep(connection: Connection, seconds: float) -> None:
    """Keep a transaction open, so that another may overtake it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_sleep({seconds})")


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


# -- a claim -----------------------------------------------------------------------------------------


def furnish(connection: Connection) -> None:
    connection.execute(insert(consents).values(id="c", profile_id=_ann(connection), purpose="marketing", granted=True, source="x", at=NOW))
    version = connection.execute(select(definitions.c.version).limit(1)).scalar_one()
    connection.execute(
        insert(entries).values(
            id="entry", journey="cart", version=version, profile_id=_ann(connection), key="", workflow_id="w", trigger_id="m",
            trigger={}, variants={}, started_at=NOW, state="running",
        )
    )  # fmt: skip


def _ann(connection: Connection) -> str:
    found = profiles.find(connection, "u-ann")
    assert found is not None
    return found


class Rendered:
    subject, html, text, tokens, amp, live = "Hello", "<p>Hello</p>", "Hello", {}, None, ()


def plan(connection: Connection, step: str) -> str:
    key = send_key(stores_workspace(), "entry", step)
    order = SendOrder(
        key=key, entry_id="entry", profile_id=_ann(connection), journey="cart", step=step, send_id=step, content="hello",
        to_address="ann@example.com", from_address="shop@example.com",
    )  # fmt: skip
    sending.plan(connection, order, Rendered(), NOW, Links("https://x.example", Tokens("a secret of these tests")))  # type: ignore[arg-type]
    return key


def stores_workspace() -> Any:
    from uuid import UUID

    return UUID(int=7)


def claim(connection: Connection, key: str, rules: GateRules | None = None) -> Any:
    return sending.claim(connection, key, NOW, rules or GateRules(), Memory())


@pytest.fixture
def ann(several: Several) -> Database:
    database = several()
    database.write_now(append, [event("first", anonymous_id="a-ann")])
    registry = Registry(load(FOLDER))
    database.write_now(registry.store, NOW)
    database.write_now(process_batch, registry, NOW)
    database.write_now(furnish)
    return database


def _waits_for_a_lock(several: Several) -> Callable[[], bool]:
    database = several()
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    return lambda: bool(database.read_now(lambda c: c.exec_driver_sql(asked).scalar()))


def until(check: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


@on_postgresql
@pytest.mark.parametrize(
    "whose", [{"user_id": "u-ann"}, {"user_id": None, "anonymous_id": "a-ann"}, {"user_id": "u-new", "profile_id": "?"}]
)
def test_no_event_of_a_person_is_acknowledged_between_a_claims_look_and_its_commit(
    several: Several, ann: Database, whose: dict[str, Any]
) -> None:
    key = ann.write_now(plan, "1")
    if "profile_id" in whose:
        whose = {**whose, "profile_id": ann.read_now(_ann)}
    other, waits = several(), _waits_for_a_lock(several)
    acknowledged = threading.Event()

    def exit_comes() -> None:
        other.write_now(append, [event("exit", name="Order Completed", **whose)])
        acknowledged.set()

    leaving = threading.Thread(target=exit_comes)
    inside, go_on = threading.Event(), threading.Event()

    def claiming(connection: Connection) -> Any:
        result = claim(connection, key)
        inside.set()
        while not go_on.is_set():  # the store's loop is not ours to block
            connection.exec_driver_sql("SELECT pg_sleep(0.01)")
        return result

    with ThreadPoolExecutor(1) as pool:
        claimed = pool.submit(ann.write_now, claiming)
        assert inside.wait(PATIENCE)
        leaving.start()
        until(lambda: waits() or acknowledged.is_set())
        assert not acknowledged.is_set(), "an exit was acknowledged, and the claim does not know of it"
        go_on.set()
        assert isinstance(claimed.result(PATIENCE), Claimed)
    leaving.join(PATIENCE)
    assert acknowledged.is_set()


@on_postgresql
def test_a_claim_waits_for_events_that_are_being_accepted_and_then_knows_of_them(several: Several, ann: Database) -> None:
    key = ann.write_now(plan, "1")
    other, waits = several(), _waits_for_a_lock(several)
    inside, go_on = threading.Event(), threading.Event()

    def accepting(connection: Connection) -> None:
        append(connection, [event("exit", name="Order Completed")])
        inside.set()
        while not go_on.is_set():
            connection.exec_driver_sql("SELECT pg_sleep(0.01)")

    with ThreadPoolExecutor(2) as pool:
        accepted = pool.submit(other.write_now, accepting)
        assert inside.wait(PATIENCE)
        claimed = pool.submit(ann.write_now, claim, key)
        until(lambda: waits() or claimed.done())
        go_on.set()
        accepted.result(PATIENCE)
        with pytest.raises(NotCaughtUp):
            claimed.result(PATIENCE)


ROLLING, CALENDAR = Cap(1, timedelta(hours=1)), Cap(1, per="day")
WAITING = Cap(1, timedelta(hours=1), hold_up_to=timedelta(hours=2))


@pytest.mark.parametrize("cap", [ROLLING, CALENDAR, WAITING], ids=["rolling", "calendar", "waiting"])
def test_two_claims_at_once_do_not_both_take_the_last_place_under_a_cap(several: Several, ann: Database, cap: Cap) -> None:
    rules = GateRules(caps=(cap,))
    one, two = several(), several()
    for number in range(12):
        ann.write_now(lambda c: c.execute(sending.ledger.sends.update().values(claimed_at=None, state="suppressed")))
        keys = [ann.write_now(plan, f"{number}.{half}") for half in "ab"]
        results = side_by_side(lambda k=keys[0]: one.write_now(claim, k, rules), lambda k=keys[1]: two.write_now(claim, k, rules))
        assert len([r for r in results if isinstance(r, Claimed)]) == 1, results
        assert isinstance(next(r for r in results if not isinstance(r, Claimed)), Held if cap is WAITING else Suppressed)


def test_one_send_is_claimed_once_however_many_ask(several: Several, ann: Database) -> None:
    opened = [several() for _ in range(4)]
    for number in range(8):

        def attempt(database: Database, step: str) -> Any:
            def work(connection: Connection) -> Any:
                return claim(connection, plan(connection, step))

            return database.write_now(work)

        results = side_by_side(*(lambda d=d, n=number: attempt(d, str(n)) for d in opened))
        assert len([r for r in results if isinstance(r, Claimed) and not r.again]) == 1


# -- people ------------------------------------------------------------------------------------------


def test_what_a_journey_sets_and_what_the_router_learns_are_both_kept(several: Several, ann: Database) -> None:
    registry = Registry(load(FOLDER))
    who = ann.read_now(_ann)
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
