"""RFM groups and life-cycle stages: cut points as numpy has them, segments that divide everyone, files that people keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import insert, select
from stages_world import BOUGHT, DAY, EVENTS, FILE, MODEL, NOW, ORDERS, ROOT, Lives, conditions, in_sql, shop, stored
from typer.testing import CliRunner

from sojourn.cli import build
from sojourn.customers.stages.conditions import segments
from sojourn.customers.stages.files import Change, changes, stage_files
from sojourn.customers.stages.fit import Customers, TooFew, fit, measure, pages, quantile
from sojourn.customers.stages.picture import heat_map, histogram
from sojourn.errors import Terminal
from sojourn.language.conditions import EventFact, Facts, ListHistory, parse
from sojourn.language.loader import load, load_stages
from sojourn.language.stages_model import RFM, STAGE, STAGES
from sojourn.store.database import Database
from sojourn.store.tables import events, profiles


@given(
    st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=60),
    st.floats(0, 1, exclude_min=True, exclude_max=True),
)
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    assert quantile(sorted(values), share) == pytest.approx(float(np.quantile(values, share)), rel=1e-12, abs=1e-9)


def test_the_cut_points_are_numpy_s_quantiles_of_what_is_stored() -> None:
    lives = shop()
    customers = stored(lives).read_now(measure, MODEL, NOW)
    window = NOW - 365 * DAY
    bought = [[(at, its["revenue"]) for _, at, its in life if at > window] for life in lives.values()]
    bought = [life for life in bought if life]
    assert len(customers) == len(bought) < len(lives)
    fitted = fit(MODEL, customers, NOW)
    shares = list(MODEL.quantiles.recency)
    days = np.quantile([(NOW - max(at for at, _ in life)) / DAY for life in bought], shares)
    assert fitted.recency == pytest.approx(np.round(days, 1))
    assert fitted.frequency == tuple(np.floor(np.quantile([len(life) for life in bought], shares)))
    spent = np.quantile([sum(worth for _, worth in life) for life in bought], shares)
    assert fitted.monetary == pytest.approx(np.round(spent, 2), abs=0.011)


def test_later_events_machines_and_merged_profiles_do_not_count() -> None:
    lives = {
        "a": [(BOUGHT, NOW - DAY, {"revenue": 10}), (BOUGHT, NOW + DAY, {"revenue": 99}), (f"*{BOUGHT}", NOW - DAY, {"revenue": 99})],
        "b": [(BOUGHT, NOW - 366 * DAY, {"revenue": 5}), ("Product Viewed", NOW, {})],
        "c": [(BOUGHT, NOW - 2 * DAY, {"revenue": "a text"})],
    }
    customers = stored(lives, merged={"x": "a"}).read_now(measure, MODEL, NOW)
    assert list(customers.recency) == [1.0, 2.0]
    assert list(customers.frequency) == [1, 1]
    assert list(customers.monetary) == [10.0, 0.0]


@pytest.mark.parametrize(
    ("minus", "spent"), [("minus: Order Refunded", [60.0, 45.0]), ("minus: Order Refunded, minus_value: fee", [98.0, 45.0])]
)
def test_what_was_given_back_is_taken_off_in_its_own_window(minus: str, spent: list[float]) -> None:
    back = "Order Refunded"
    lives: Lives = {
        "a": [
            (BOUGHT, NOW - 380 * DAY, {"revenue": 500}), (BOUGHT, NOW - 20 * DAY, {"revenue": 100}),
            (back, NOW - 370 * DAY, {"revenue": 99}),
            (back, NOW - 10 * DAY, {"total": 30}), (back, NOW - DAY, {"revenue": 10, "total": 99, "fee": 2}),
            (back, NOW + DAY, {"total": 9}),
            (f"*{back}", NOW - DAY, {"total": 9}),
        ],
        "b": [(BOUGHT, NOW - 3 * DAY, {"revenue": 45})],
        "c": [(back, NOW - DAY, {"total": 30})],
    }  # fmt: skip
    model = load_stages(FILE.replace(b"value: revenue}", f"value: revenue, {minus}}}".encode()))
    customers = stored(lives).read_now(measure, model, NOW)
    assert (list(customers.recency), list(customers.frequency), list(customers.monetary)) == ([20.0, 3.0], [1, 1], spent)


def test_groups_by_net_revenue_hold_whom_the_scores_say() -> None:
    chance = np.random.default_rng(5)
    lives = shop()
    for life in lives.values():
        for _, at, its in [each for each in life if chance.random() < 0.3]:
            life.append(("Order Refunded", min(at + DAY, NOW), {"total": round(its["revenue"] * float(chance.random()), 2)}))
    model = load_stages(FILE.replace(b"value: revenue}", b"value: revenue, minus: Order Refunded}"))
    database = stored(lives)
    customers = database.read_now(measure, model, NOW)
    assert sum(customers.monetary) < sum(database.read_now(measure, MODEL, NOW).monetary)
    fitted = fit(model, customers, NOW)
    grid = fitted.grid(customers)
    members = in_sql(database, conditions(model, fitted), NOW)
    assert any('minus="Order Refunded"' in each.members for each in segments(model, fitted))
    for group in model.groups:
        assert len(members[f"{RFM}{group.group}"]) == sum(grid[cell] for cell in model.cells(group)), group.group


def test_pages_hold_everyone_once_whatever_their_size() -> None:
    database = stored({f"p{i}": [(BOUGHT, NOW, {})] for i in range(7)}, merged={"p0merged": "p0"})
    for size in (1, 2, 3, 7, 50):
        found = database.read_now(lambda connection, size=size: list(pages(connection, size)))
        assert sum(count for _, _, count in found) == 7
        assert [upto for _, upto, _ in found[:-1]] == [after for after, _, _ in found[1:]]


def test_the_segments_of_the_groups_hold_whom_the_scores_say() -> None:
    lives = shop()
    database = stored(lives)
    customers = database.read_now(measure, MODEL, NOW)
    fitted = fit(MODEL, customers, NOW)
    grid = fitted.grid(customers)
    members = in_sql(database, conditions(MODEL, fitted), NOW)
    for group in MODEL.groups:
        assert len(members[f"{RFM}{group.group}"]) == sum(grid[cell] for cell in MODEL.cells(group)), group.group
    assert sum(len(members[f"{RFM}{group.group}"]) for group in MODEL.groups) == len(customers) > 200


ages = st.one_of(st.integers(0, 500 * 24), st.sampled_from([30 * 24, 365 * 24])).map(lambda hours: timedelta(hours=hours))
lives = st.lists(st.tuples(st.sampled_from(EVENTS), ages, st.floats(0, 3000).map(lambda x: round(x, 2))), max_size=14)
shipped = {name: parse(each.members or "") for name, each in load(ROOT / "journeys").segments.items() if name.startswith((RFM, STAGE))}


@law(120)
@given(lives, st.lists(ages, max_size=4))
def test_at_every_moment_exactly_one_stage_holds_and_one_group_of_every_customer(
    life: list[tuple[str, timedelta, float]], moments: list[timedelta]
) -> None:
    begin = NOW - 500 * DAY
    history = ListHistory(sorted((EventFact(name, begin + age, {"revenue": worth}) for name, age, worth in life), key=lambda e: e.time))
    # Also the moments at which windows pass, and those just before: that is where a gap would be.
    edges = [e.time + days * DAY for e in history.all for days in (30, 77.3, 159.6, 282.2, 365)]
    for at in [begin + moment for moment in moments] + [edge - late * timedelta(microseconds=1) for edge in edges for late in (0, 1)]:
        facts = Facts(now=at, history=history)
        holding = [name for name, each in shipped.items() if each.holds(facts, shipped)]
        assert len([name for name in holding if name.startswith(STAGE)]) == 1, holding
        customer = bool(history.events(BOUGHT, at - 365 * DAY, at))
        assert len([name for name in holding if name.startswith(RFM)]) == customer, holding


@pytest.mark.parametrize(
    ("life", "stage"),
    [
        ([], "awareness"),
        ([("Session Started", 3)], "awareness"),
        ([("Product Viewed", 3)], "consideration"),
        ([("Product Viewed", 40)], "awareness"),
        ([(BOUGHT, 5)], "consideration"),
        ([(BOUGHT, 5), (BOUGHT, 50), (BOUGHT, 90)], "loyalty"),
        ([(BOUGHT, 180), (BOUGHT, 200), (BOUGHT, 220)], "at_risk"),
        ([(BOUGHT, 180), (BOUGHT, 200), (BOUGHT, 220), ("Product Viewed", 2)], "consideration"),
        ([(BOUGHT, 300), (BOUGHT, 301), (BOUGHT, 302)], "dormant"),
        ([("Signed Up", 290)], "dormant"),
        ([("Signed Up", 290), ("Session Started", 1)], "awareness"),
    ],
)
def test_people_stand_where_their_life_says(life: list[tuple[str, int]], stage: str) -> None:
    history = ListHistory(sorted((EventFact(name, NOW - age * DAY, {}) for name, age in life), key=lambda e: e.time))
    holding = [each for each in STAGES if shipped[f"{STAGE}{each}"].holds(Facts(now=NOW, history=history), shipped)]
    assert holding == [stage]


def test_the_shipped_segments_are_those_that_the_shipped_file_asks_for() -> None:
    assert set(shipped) == {f"{RFM}{group.group}" for group in MODEL.groups} | {f"{STAGE}{stage}" for stage in STAGES}


def test_too_few_customers_are_refused_with_the_number_that_is_wanted() -> None:
    with pytest.raises(TooFew, match="0 customers bought within 365d, and quantiles need 200"):
        fit(MODEL, Customers(), NOW)


def test_stages_that_would_overlap_are_refused() -> None:
    model = load_stages(FILE.replace(b"dormant: {quantile: 0.8}", b"dormant: {after: 20d}"))
    assert model != MODEL
    customers = stored(shop()).read_now(measure, model, NOW)
    with pytest.raises(Terminal, match="dormancy would begin after 20 days"):
        fit(model, customers, NOW)


def test_a_version_changes_with_cut_points_and_file_and_with_nothing_else() -> None:
    customers = stored(shop()).read_now(measure, MODEL, NOW)
    first = fit(MODEL, customers, NOW)
    assert fit(MODEL, customers, NOW + DAY).version == first.version
    other = load_stages(FILE.replace(b"interest_within: 30d", b"interest_within: 31d"))
    assert fit(other, customers, NOW).version != first.version


def test_files_are_written_once_and_only_generated_ones_are_removed(tmp_path: Path) -> None:
    fitted = fit(MODEL, stored(shop()).read_now(measure, MODEL, NOW), NOW)
    texts = stage_files(MODEL, fitted, segments(MODEL, fitted))
    own = tmp_path / "rfm_mine.yaml"
    own.write_text("segment: rfm_mine\ndescription: Mine.\nmembers: profile.vip\n", encoding="utf-8")
    Change(tmp_path / "rfm_old.yaml", None, texts["rfm_lost.yaml"]).carry_out()
    found = changes(tmp_path, (RFM, STAGE), texts)
    assert [change.path.name for change in found if change.after is None] == ["rfm_old.yaml"]
    assert all(change.diff() for change in found)
    for change in found:
        change.carry_out()
    assert changes(tmp_path, (RFM, STAGE), texts) == []
    assert own.exists()
    assert {path.name for path in tmp_path.iterdir()} == {*texts, "rfm_mine.yaml"}


def test_a_histogram_counts_everyone_once() -> None:
    for values in ([1.0] * 5, [1.0, 2.0, 2.0, 3.0], list(np.random.default_rng(1).lognormal(3, 2, 500)), [0.0, 0.5, 10.0]):
        assert sum(count for _, count, _ in histogram(values)) == len(values)


def test_the_heat_map_shows_each_place_once() -> None:
    customers = stored(shop()).read_now(measure, MODEL, NOW)
    fitted = fit(MODEL, customers, NOW)
    picture = heat_map(fitted.grid(customers), MODEL, fitted)
    assert picture.count("<title>") == 25
    assert f"{len(customers):,} customers" in picture


def test_the_command_shows_the_change_asks_and_writes_what_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path))
    database = Database(f"sqlite:///{tmp_path / 'sojourn.db'}")
    source = stored(shop())
    for table in (profiles, events):
        rows = [dict(row) for row in source.read_now(lambda connection, table=table: connection.execute(select(table)).mappings().all())]
        database.write_now(lambda connection, table=table, rows=rows: connection.execute(insert(table), rows))
    folder = tmp_path / "journeys"
    folder.mkdir()
    for name in ("stages.yaml", "shop.yaml"):
        (folder / name).write_bytes((ROOT / "journeys" / name).read_bytes())
    fitting = ["stages", "fit", "--journeys", str(folder), "--as-of", "2026-06-01T12:00Z"]
    refused = CliRunner().invoke(build(), fitting, input="n\n")
    assert refused.exit_code == 1
    assert "+segment: rfm_champions" in refused.output
    assert not (folder / "segments").exists()
    done = CliRunner().invoke(build(), [*fitting, "--yes", "--picture", str(tmp_path / "rfm.svg")])
    assert done.exit_code == 0, done.output
    assert set(load(folder).segments) == set(shipped)
    assert (tmp_path / "rfm.svg").read_text("utf-8").startswith("<svg")
    again = CliRunner().invoke(build(), [*fitting, "--yes"])
    assert "nothing changes" in again.output
    shown = CliRunner().invoke(build(), ["stages", "show", "--journeys", str(folder)])
    assert "stage_loyalty" in shown.output
    few = CliRunner().invoke(build(), [*fitting[:-1], "2020-01-01"])
    assert few.exit_code == 1
    assert "0 customers" in few.output


@pytest.mark.skipif(not ORDERS.exists(), reason="the Online Retail orders are not here")
def test_scores_of_real_orders_equal_a_computation_from_scratch() -> None:
    import duckdb

    at = datetime(2011, 3, 1, 12, tzinfo=UTC)
    sold = (
        "SELECT customer_id AS who, invoice, min(invoiced_at) AS sold_at, round(sum(quantity * unit_price), 2) AS worth"
        " FROM read_parquet(?) WHERE customer_id % 5 = 0 AND regexp_full_match(invoice, '[0-9]+') AND quantity > 0 AND unit_price > 0"
        " GROUP BY ALL"
    )
    london = ZoneInfo("Europe/London")
    lives: dict[str, list[tuple[str, datetime, dict[str, Any]]]] = {}
    with duckdb.connect() as raw:
        for who, _, sold_at, worth in raw.execute(f"{sold} ORDER BY sold_at, invoice", [str(ORDERS)]).fetchall():
            lives.setdefault(str(who), []).append((BOUGHT, sold_at.replace(tzinfo=london).astimezone(UTC), {"revenue": worth}))
        # From scratch: the quantiles and scores by DuckDB's own functions over its own rows. In March London is at UTC.
        raw.execute(
            f"CREATE TABLE rfm AS SELECT who, epoch(TIMESTAMP '2011-03-01 12:00' - max(sold_at)) / 86400 AS r,"
            f" count(*) AS f, sum(worth) AS m FROM ({sold}) WHERE sold_at <= TIMESTAMP '2011-03-01 12:00'"
            " AND sold_at > TIMESTAMP '2010-03-01 12:00' GROUP BY who",
            [str(ORDERS)],
        )
        cuts = {
            axis: raw.execute(f"SELECT quantile_cont({axis}, [0.2, 0.4, 0.6, 0.8]) FROM rfm").fetchone()[0]  # type: ignore[index]
            for axis in "rfm"
        }
        scratch = {str(who): (r, f, m) for who, r, f, m in raw.execute("SELECT who, r, f, m FROM rfm").fetchall()}
    database = stored(lives)
    fitted = fit(MODEL, database.read_now(measure, MODEL, at), at)
    assert len(scratch) == fitted.people > 700
    assert fitted.recency == pytest.approx(cuts["r"], abs=0.1)  # an hour of summer time in the oldest orders
    assert fitted.monetary == pytest.approx(cuts["m"], abs=0.01)
    found = conditions(MODEL, fitted)
    members = in_sql(database, found, at)
    apart = []
    for who, (r, f, m) in scratch.items():
        above = sum(f > cut for cut in cuts["f"]), sum(m > cut for cut in cuts["m"])
        cell = 5 - sum(r >= cut for cut in cuts["r"]), 1 + above[0], 1 + above[1]
        history = ListHistory([EventFact(name, time, its) for name, time, its in lives[who]])
        (group,) = [group.group for group in MODEL.groups if found[f"{RFM}{group.group}"].holds(Facts(now=at, history=history), found)]
        assert who in members[f"{RFM}{group}"]
        if cell not in set(MODEL.cells(next(each for each in MODEL.groups if each.group == group))):
            apart.append(who)
    assert len(apart) <= len(scratch) // 200  # those within an hour of a cut point
