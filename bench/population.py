"""Many made-up customers with a year of history, written set by set by the store itself; and thirty segments over them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from sojourn.store.types import to_micros

NAMES = ("Session Started", "Product Viewed", "Product Added", "Checkout Started", "Order Completed")
DAY = 86_400_000_000
PAGE = 50_000  # people in one statement

_SERIES = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM s WHERE n < :last)",
    "postgresql": "WITH s(n) AS (SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint)))",
}
_ID = {
    "sqlite": "printf('%08x-0000-4000-8000-000000000000', {n})",
    "postgresql": "lpad(to_hex({n}), 8, '0') || '-0000-4000-8000-000000000000'",
}
_JSON = {"sqlite": "{value}", "postgresql": "CAST({value} AS jsonb)"}


def profile_id(number: int) -> str:
    """Return the id of a made-up customer, counted from 0."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def populate(connection: Connection, first: int, people: int, events_each: int, now: datetime, *, orders_only: bool = False) -> None:
    """Write customers `first` to `first + people - 1`, known by user ids `u<number>` and addresses, with their events of the past year."""
    dialect = connection.dialect.name
    series, now_, year = _SERIES[dialect], "CAST(:now AS bigint)", "CAST(:year AS bigint)"
    bounds = {"first": first, "last": first + people - 1, "now": to_micros(now), "year": 365 * DAY}
    one, json = _ID[dialect].format(n="n"), _JSON[dialect].format
    plan = "(CASE n % 3 WHEN 0 THEN 'gold' WHEN 1 THEN 'silver' ELSE 'tin' END)"
    traits = json(value=f"""'{{"plan":"' || {plan} || '","visits":' || (n % 50) || ',"email":"p' || n || '@example.com"}}'""")
    empty = json(value="'{}'")
    connection.execute(
        text(
            f"INSERT INTO profiles (id, traits, trait_times, first_seen, last_seen) {series} "
            f"SELECT {one}, {traits}, {empty}, {now_} - {year}, {now_} FROM s"
        ),
        bounds,
    )
    connection.execute(
        text(
            f"INSERT INTO identifiers (kind, value, profile_id, since) {series} SELECT 'user_id', 'u' || n, {one}, {now_} - {year} FROM s"
        ),
        {key: bounds[key] for key in ("first", "last", "now", "year")},
    )
    whose = _ID[dialect].format(n="(n / CAST(:each AS bigint))")
    limits = zip((6, 14, 17, 18), NAMES, strict=False)  # of twenty events; the others are orders
    cases = " ".join(f"WHEN n % 20 < {limit} THEN '{name}'" for limit, name in limits)
    name = f"'{NAMES[-1]}'" if orders_only else f"CASE {cases} ELSE '{NAMES[-1]}' END"
    properties = json(value="""'{"price":' || (n % 97) || ',"revenue":' || (n % 193) || ',"category":"c' || (n % 11) || '"}'""")
    machine = {"sqlite": "0", "postgresql": "false"}[dialect]
    connection.execute(
        text(
            f"INSERT INTO events (id, seq, profile_id, kind, name, time, properties, machine) {series} "
            f"SELECT 'e' || n, 0, {whose}, 'track', {name}, {now_} - (n * 2654435761) % {year}, {properties}, {machine} FROM s"
        ),
        {**bounds, "first": first * events_each, "last": (first + people) * events_each - 1, "each": events_each},
    )


def segments() -> dict[str, str]:
    """Return thirty conditions of the kinds that shops write, by name."""
    found = {
        "dormant": 'did("Order Completed") and not did("Session Started", within="60d") and not did("Order Completed", within="60d")',
        "high_value": 'sum("Order Completed", "revenue", within="365d") >= 200',
        "high_intent": 'at_least(2, did("Product Viewed", within="1h"), distinct("Product Added", "category", within="24h") >= 2,'
        ' did("Product Added", within="24h") and sum("Product Added", "price", within="24h") >= 150)',
        "late": 'days_since(last("Order Completed")) >= 120',
        "new": 'days_since(first("Session Started")) < 14',
        "gold": 'profile.plan == "gold" and count("Order Completed") >= 2',
        "gold_idle": 'segment.gold and not did("Session Started", within="14d")',
        "best": "segment.high_value and not segment.dormant",
    }
    for days in (1, 3, 7, 14, 30, 45, 90, 180):
        found[f"visited_{days}d"] = f'did("Session Started", within="{days}d")'
        found[f"viewed_much_{days}d"] = f'count("Product Viewed", within="{days}d") >= 3'
    for least in (50, 150, 300):
        found[f"spent_{least}"] = f'sum("Order Completed", "revenue", within="180d") >= {least}'
        found[f"abandons_{least}"] = f'sum("Product Added", "price", within="7d") >= {least} and not did("Order Completed", within="7d")'
    assert len(found) == 30, len(found)
    return found
