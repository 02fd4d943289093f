"""Going through everyone: what a page costs, how much one transaction writes, and who changes between the look and the writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Select, Table, func, insert, select, update

from sojourn.broadcasts import gathering, standing
from sojourn.customers import identity
from sojourn.customers.segments import builds, due, going, live, rebuild
from sojourn.customers.segments.book import SegmentBook
from sojourn.customers.segments.preview import sweep_page
from sojourn.intake.appender import append
from sojourn.intake.emit import tell
from sojourn.intake.envelope import Envelope
from sojourn.intake.process import process_batch
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.conditions import Calendar, parse
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load_shop
from sojourn.language.moments import zone_named
from sojourn.store.database import Database
from sojourn.store.tables import events, identifiers, inbound, profiles, segment_builds, segment_due, segment_judged, segment_members
from sojourn.testing.folder import TEST_SHOP
from sojourn.travel.registry import Registry

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ORDERS = 5
SEGMENTS = {
    "buyers": 'did("Order Completed")',
    "recent": 'did("Order Completed", within="30d")',
    "regular": 'count("Order Completed", within="365d") >= 3',
    "spent": 'sum("Order Completed", "revenue") >= 100',
    "gold": 'profile.plan == "gold"',
    "best": "segment.gold and segment.spent",
    "viewers": 'did("Product Viewed", within="7d")',
}


def profile_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def fill(connection: Connection, people: int) -> None:
    """People whom an import brought: with orders, and due to be judged."""
    everyone = range(people)
    seen = {"first_seen": NOW - timedelta(days=100), "last_seen": NOW}
    plans = [{"plan": "gold" if one % 2 else "tin"} for one in everyone]
    connection.execute(insert(profiles), [{"id": profile_id(one), "traits": plans[one], **seen} for one in everyone])
    names = [{"kind": "user_id", "value": f"u{one}", "profile_id": profile_id(one), "since": NOW} for one in everyone]
    connection.execute(insert(identifiers), names)
    connection.execute(insert(segment_due), [{"profile": profile_id(one), "at": NOW, "cause": "import"} for one in everyone])
    orders = [
        {
            "id": f"o{one}-{number}", "seq": -1, "profile_id": profile_id(one), "kind": "track", "name": "Order Completed",
            "time": NOW - timedelta(days=(one * 7 + number * 11) % 90 + 1), "properties": {"revenue": 10 + (one + number) % 50},
        }
        for one in everyone
        for number in range(ORDERS)
    ]  # fmt: skip
    connection.execute(insert(events), orders)


@pytest.fixture
def opened() -> Iterator[Callable[[], Database]]:
    """Give empty stores."""
    all_of_them: list[Database] = []

    def open_() -> Database:
        all_of_them.append(Database("sqlite://"))
        return all_of_them[-1]

    yield open_
    for database in all_of_them:
        database.close_now()


def registry() -> Registry:
    found = Registry(Definitions({}, {}, load_shop(TEST_SHOP), Path()))
    found.segments = {name: parse(text) for name, text in SEGMENTS.items()}
    found.book = SegmentBook(found.segments)
    return found


def shop(database: Database, people: int) -> Registry:
    found = registry()
    database.write_now(fill, people)
    database.write_now(rebuild.sync, found.book, NOW + timedelta(seconds=1))
    return found


def rebuilt(database: Database, found: Registry, moment: datetime) -> list[rebuild.Settled]:
    return list(going.go_through(database, found.book, lambda: moment, tell, rest=0))


def members(database: Database) -> set[tuple[str, str]]:
    rows = database.read_now(lambda c: c.execute(select(segment_members.c.profile_id, segment_members.c.segment)).all())
    return {(one, segment) for one, segment in rows}


def rightly(found: Registry, database: Database, people: int, moment: datetime) -> set[tuple[str, str]]:
    """Who belongs to what, by each condition asked of everyone at once."""
    living = select(profiles.c.id).where(profiles.c.merged_into.is_(None))
    asked = {name: living.where(condition.sql(moment, found.segments)) for name, condition in found.segments.items()}
    return {(one, name) for name, query in asked.items() for one in database.read_now(_ids, query)}


def _rows(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _ids(connection: Connection, query: Select[Any]) -> list[str]:
    return list(connection.execute(query).scalars())


# -- what a page costs ---------------------------------------------------------------------------------


def cost(database: Database, ask: Callable[[Connection], object]) -> int:
    """What a statement costs, in the store's own count: SQLite's steps, or the rows of people and events that PostgreSQL read."""

    def counted(connection: Connection) -> int:
        if connection.dialect.name == "sqlite":
            steps = 0

            def step() -> int:
                nonlocal steps
                steps += 1
                return 0

            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(step, 50)
            try:
                ask(connection)
            finally:
                driver.set_progress_handler(None, 0)
            return steps
        read = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE relname = 'events'"
        before = connection.exec_driver_sql(read).scalar() or 0
        ask(connection)
        return int((connection.exec_driver_sql(read).scalar() or 0) - before)

    return database.write_now(counted)


def _gather(found: Registry, connection: Connection) -> None:
    said = {"broadcast": "news", "description": "d", "content": "letter", "at": "2026-03-02 13:00", "to": "segment.best"}
    broadcast = Broadcast.model_validate({**said, "purpose": "marketing"})
    zone = zone_named("UTC")
    one = standing.schedule(connection, broadcast, zone, NOW, "b1")
    standing.begin_gathering(connection, one, NOW + timedelta(hours=2))
    gathering.gather_page(connection, one, found.segments, {}, Calendar(zone), NOW + timedelta(hours=2), 20)


ASKED: dict[str, Callable[[Registry, Connection], object]] = {
    "a page of a build": lambda found, c: rebuild.look(c, found.book, NOW, 20),
    "a page of a build and its writing": lambda found, c: rebuild.build_page(c, found.book, NOW, tell, 20),
    "one person judged": lambda found, c: live.judge(c, found.book, {profile_id(3): NOW}, NOW, tell),
    "a page of a preview": lambda found, c: sweep_page(c, found.segments["best"], found.segments, "best", NOW, "", 20),
    "a page of a broadcast": _gather,
}


@pytest.mark.parametrize("what", ASKED)
def test_a_page_costs_what_its_people_cost_and_not_what_everybody_does(opened: Callable[[], Database], what: str) -> None:
    few, many = opened(), opened()
    costs = []
    for database, people in ((few, 100), (many, 1_500)):
        found = shop(database, people)
        costs.append(cost(database, lambda c, found=found: ASKED[what](found, c)))
    small, large = costs
    assert small > 0
    assert large <= small * 1.5 + 20, f"{what}: {small} among 100 people, {large} among 1,500"


# -- how much one transaction writes ------------------------------------------------------------------


def test_each_transaction_of_a_build_writes_few_rows_and_moves_the_progress(
    opened: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened()
    found = shop(database, 120)
    monkeypatch.setattr(rebuild, "FIRST_PART", 60)
    monkeypatch.setattr(rebuild, "LARGEST_PART", 60)
    monkeypatch.setattr(rebuild, "SMALLEST_PART", 60)
    monkeypatch.setattr(rebuild, "SMALLEST_SERVED_PART", 60)
    written, progress = [0], [0]
    for part in going.go_through(database, found.book, lambda: NOW, tell, rest=0):
        rows = database.read_now(_rows, segment_members) + database.read_now(_rows, inbound)
        assert rows - written[-1] <= 2 * 60, "each change is a membership and an event"
        assert part.rows <= 60
        written.append(rows)
        progress.append(database.read_now(builds.builds)[0].done)
    assert len(written) > 5
    assert progress == sorted(set(progress)), "each part shows"
    assert {(build.state, build.done, build.total) for build in database.read_now(builds.builds)} == {("live", 120, 120)}
    assert members(database) == rightly(found, database, 120, NOW)


def test_a_build_is_what_judging_everyone_finds_and_leaves_them_due_when_they_turn(opened: Callable[[], Database]) -> None:
    built, judged = opened(), opened()
    found = shop(built, 60)
    shop(judged, 60)
    assert not built.read_now(due.is_due, NOW), "whoever an import brought is gone through by the build, and not beside it"
    assert built.read_now(due.is_due, NOW + timedelta(days=30, seconds=2)) is False
    rebuilt(built, found, NOW)
    judged.write_now(live.judge, found.book, {profile_id(one): NOW for one in range(60)}, NOW, tell)
    assert members(built) == members(judged) == rightly(found, built, 60, NOW)

    def dues(connection: Connection) -> dict[str, datetime]:
        return {row.profile: row.at for row in connection.execute(select(segment_due))}

    early, exact = built.read_now(dues), judged.read_now(dues)
    assert early.keys() >= exact.keys()
    assert all(NOW < early[one] <= exact[one] for one in exact)
    assert not built.read_now(due.is_due, NOW), "nobody is judged a second time"
    assert built.read_now(_rows, segment_judged) == 0


# -- between the look and the writing ------------------------------------------------------------------


def _hear(database: Database, found: Registry, *said: Envelope) -> None:
    database.write_now(append, list(said))
    while database.write_now(process_batch, found, NOW).events:
        continue


def _views(database: Database, found: Registry) -> None:
    _hear(database, found, Envelope(message_id="v1", kind="track", name="Product Viewed", user_id="u3", time=NOW, received_at=NOW))


def _changes_plan(database: Database, found: Registry) -> None:
    said = Envelope(message_id="i1", kind="identify", name="identify", user_id="u3", traits={"plan": "tin"}, time=NOW, received_at=NOW)
    _hear(database, found, said)


def _is_imported_over(database: Database, found: Registry) -> None:
    def write(connection: Connection) -> None:
        connection.execute(update(profiles).where(profiles.c.id == profile_id(3)).values(traits={"plan": "tin"}))
        due.touch(connection, [profile_id(3)], NOW)

    database.write_now(write)


def _is_imported_over_and_judged(database: Database, found: Registry) -> None:
    _is_imported_over(database, found)
    database.write_now(live.judge, found.book, {profile_id(3): NOW}, NOW, tell)


def _is_merged(database: Database, found: Registry) -> None:
    database.write_now(identity.merge, profile_id(3), profile_id(4), "one person", NOW)


# And who leaves rightly: u3 was gold until then, by a definition that is new, and is tin by what they say.
MEANWHILE = {_views: [], _changes_plan: [(profile_id(3), "gold")], _is_imported_over: [], _is_imported_over_and_judged: [], _is_merged: []}


def _told(database: Database) -> list[tuple[str, str, str]]:
    told = inbound.c.name.startswith("Segment ")
    query = select(inbound.c.profile_id, inbound.c.name, inbound.c.body).where(told).order_by(inbound.c.seq)
    return [(row.profile_id, row.name, row.body["properties"]["segment"]) for row in database.read_now(lambda c: c.execute(query).all())]


@pytest.mark.parametrize("happens", MEANWHILE)
def test_whoever_changes_between_the_look_and_the_writing_is_judged_by_what_is_known_then(
    opened: Callable[[], Database], happens: Callable[[Database, Registry], None]
) -> None:
    database = opened()
    found = shop(database, 8)
    page = database.read_now(rebuild.look, found.book, NOW)
    assert page is not None
    happens(database, found)
    after: str | None = page.start
    while after is not None:
        after = database.write_now(rebuild.settle, found.book, page, after, NOW, tell).after
    assert members(database) == rightly(found, database, 8, NOW)
    heads = {one for one, _ in members(database)}
    each = [(one, segment) for one, name, segment in _told(database) if name == live.ENTERED]
    assert len(each) == len(set(each)), "nobody comes in twice"
    assert {pair for pair in each if pair[0] in heads} >= members(database) - _moved_by_merge(database)
    left = [(one, segment) for one, name, segment in _told(database) if name == live.EXITED]
    assert left == MEANWHILE[happens], "nobody comes in who has to leave again"


def _moved_by_merge(database: Database) -> set[tuple[str, str]]:
    """Memberships that a person has from before a merge are not told again."""
    merged = set(database.read_now(_ids, select(profiles.c.merged_into).where(profiles.c.merged_into.is_not(None))))
    return {pair for pair in members(database) if pair[0] in merged}


def test_a_page_that_someone_else_went_on_with_or_whose_definition_changed_is_let_be(opened: Callable[[], Database]) -> None:
    database = opened()
    found = shop(database, 8)
    page = database.read_now(rebuild.look, found.book, NOW)
    assert page is not None
    rebuilt(database, found, NOW)
    before = members(database)
    assert database.write_now(rebuild.settle, found.book, page, page.start, NOW, tell) == rebuild.Settled(None)
    database.write_now(rebuild.restart, list(SEGMENTS), NOW)
    database.write_now(lambda c: c.execute(update(segment_builds).values(version="another")))
    assert database.write_now(rebuild.settle, found.book, page, page.start, NOW, tell) == rebuild.Settled(None)
    assert members(database) == before


def test_members_of_a_segment_that_is_gone_are_forgotten_some_at_a_time(opened: Callable[[], Database]) -> None:
    database = opened()
    found = shop(database, 40)
    rebuilt(database, found, NOW)
    left = SegmentBook({name: condition for name, condition in found.segments.items() if name != "buyers"})
    database.write_now(rebuild.sync, left, NOW)
    assert database.read_now(builds.gone, left) == ["buyers"]
    sizes: Sequence[int] = []
    while not sizes or sizes[-1]:
        sizes = [*sizes, database.write_now(builds.forget, "buyers", 15)]
    assert sizes == [15, 15, 10, 0]
    assert "buyers" not in {segment for _, segment in members(database)}
