"""An audit finds what was made wrong, and finds nothing where nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from scipy.stats import ks_2samp

from sojourn.bulk.history import write_history
from sojourn.bulk.policy import Policy
from sojourn.intake.appender import append
from sojourn.intake.audit.auditing import STEPS, Audit, audit
from sojourn.intake.audit.noted import Note, Period
from sojourn.intake.audit.rhythm import UNLIKELY, gaps
from sojourn.intake.audit.statistics import PSI_SHIFTED, ks, ks_by_chance, psi, psi_by_chance
from sojourn.intake.envelope import Envelope, read_event
from sojourn.intake.process import process_batch
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.travel.registry import Registry

pytestmark = pytest.mark.slow

END = datetime(2026, 3, 2, tzinfo=UTC)
PERIOD = Period(END - timedelta(days=28), END)
SHOP = "name: A\nsender: {name: A, address: a@shop.example}\npostal_address: A\n"
VIEWED = "event: Product Viewed\ndescription: d\n"


def definitions(folder: Path, **files: str) -> Definitions:
    (folder / "events").mkdir(parents=True)
    (folder / "shop.yaml").write_text(SHOP)
    for name, text in {"events/viewed": VIEWED, **files}.items():
        (folder / f"{name}.yaml").write_text(text)
    return load(folder)


def envelope(number: int, at: datetime, name: str = "Product Viewed", late: timedelta = timedelta(0), **properties: Any) -> Envelope:
    who = properties.pop("who", f"u{number % 40}")
    return Envelope(message_id=f"m{number}", kind="track", name=name, user_id=who, properties=properties, time=at, received_at=at + late)


def traffic(change: Callable[[int, datetime], dict[str, Any] | None] = lambda i, at: {}, each_hour: int = 2) -> list[Envelope]:
    """Return four weeks of an event, at random moments, many by day and few by night."""
    random, found = Random(7), []
    for hour in range(28 * 24):
        for _ in range(each_hour * (3 if 8 <= hour % 24 < 22 else 1)):
            at = PERIOD.since + timedelta(hours=hour, seconds=random.random() * 3600)
            extra = change(len(found), at)
            if extra is not None:
                found.append(envelope(len(found), at, **{"price": random.gauss(50, 10), "category": random.choice("abc"), **extra}))
    return found


def found_in(tmp_path: Path, envelopes: Iterable[Envelope], **files: str) -> list[Note]:
    loaded = definitions(tmp_path / "journeys", **files)
    database = Database("sqlite://")
    asyncio.run(database.create())
    registry = Registry(loaded)

    def fill(connection: Any) -> None:
        append(connection, list(envelopes))
        while process_batch(connection, registry, END).events:
            pass

    database.write_now(fill)
    result = Audit()
    assert len(list(audit(database, loaded, PERIOD, result))) == STEPS
    return result.notes


def test_ordinary_traffic_has_no_finding(tmp_path: Path) -> None:
    assert found_in(tmp_path, traffic()) == []


def test_a_rate_that_falls_to_nothing_is_a_gap_and_a_quiet_night_is_none(tmp_path: Path) -> None:
    stopped = END - timedelta(hours=15)
    others = [envelope(100_000 + i, PERIOD.since + timedelta(minutes=20 * i), "Order Completed", i=i) for i in range(28 * 72)]
    notes = found_in(
        tmp_path,
        traffic(lambda i, at: {} if at < stopped else None) + others,
        **{"events/order": "event: Order Completed\ndescription: d\n"},
    )
    (gap,) = [note for note in notes if note.kind == "gap"]
    assert gap.event == "Product Viewed"
    assert gap.what.startswith("nothing since 2026-03-01 09:00 UTC (15 hours)")


def test_where_nothing_came_at_all_it_is_said_once(tmp_path: Path) -> None:
    begin, end = END - timedelta(days=5), END - timedelta(days=4)
    both = traffic(lambda i, at: {} if not begin <= at < end else None)
    more = [each.model_copy(update={"message_id": f"x{each.message_id}", "name": "Order Completed"}) for each in both]
    notes = [note for note in found_in(tmp_path, both + more) if note.kind == "gap"]
    assert [(note.event, note.what[:52]) for note in notes] == [("*", "nothing from 2026-02-25 00:00 to 2026-02-26 00:00 UT")]


def test_new_vanished_and_changed_properties_are_drift(tmp_path: Path) -> None:
    def change(i: int, at: datetime) -> dict[str, Any]:
        late = at >= PERIOD.middle
        return {
            **({"coupon": "X"} if late else {"voucher": "X"}), "stock": str(i) if late else i, "brand": None if late and i % 2 else "b",
            "price": (40 if late else 20) + i % 10, "category": "aaab"[i % 4] if late else "abbb"[i % 4],
            **({"size": "m"} if not late or i % 3 else {}),
        }  # fmt: skip

    notes = [note for note in found_in(tmp_path, traffic(change)) if note.kind == "drift"]
    assert {(note.path, note.what.split(" ")[0].rstrip(":")) for note in notes} == {
        ("coupon", "new"), ("voucher", "vanished"), ("stock", "a"), ("brand", "null"), ("price", "its"),
        ("category", "its"), ("size", "present"),
    }  # fmt: skip
    assert all(note.advice for note in notes)


def test_the_same_content_within_seconds_under_another_message_id_is_a_duplicate(tmp_path: Path) -> None:
    def twice(seconds: int, **changed: Any) -> list[Envelope]:
        return [
            each.model_copy(update={"message_id": f"again-{each.message_id}", "time": each.time + timedelta(seconds=seconds), **changed})
            for each in traffic()[::50]
        ]

    assert [note.kind for note in found_in(tmp_path / "other", traffic() + twice(0, properties={"price": 1}))] == []
    assert [note.kind for note in found_in(tmp_path / "later", traffic() + twice(60))] == []
    for seconds in (0, 3):
        (note,) = found_in(tmp_path / str(seconds), traffic() + twice(seconds))
        assert (note.kind, note.event, note.count) == ("duplicates", "Product Viewed", len(twice(seconds)))


def test_what_is_declared_asked_for_and_seen_is_compared(tmp_path: Path) -> None:
    order = "event: Order Completed\ndescription: d\n"
    old = "event: Old Event\ndescription: d\ndeprecated: send Product Viewed instead\n"
    journey = "journey: j\ndescription: d\nenter: {on: Signed Up}\nleave: [{on: Unsubscribed, as: out}]\nsteps:\n  - end: told\n"
    more = [envelope(99_001, END - timedelta(hours=1), "Surprise"), envelope(99_002, END - timedelta(days=40), "Order Completed")]
    more += [envelope(99_003, END - timedelta(days=1), "Old Event")]
    notes = found_in(tmp_path, traffic() + more, **{"events/order": order, "events/old": old, "j": journey})
    assert {(note.kind, note.event) for note in notes} == {
        ("stale", "Order Completed"), ("stale", "Signed Up"), ("undeclared", "Surprise"), ("deprecated", "Old Event"),
    }  # fmt: skip


def test_events_that_arrive_long_after_they_happened_are_late(tmp_path: Path) -> None:
    by = [timedelta(minutes=300 + i % 47 if i % 10 == 0 else 0) for i in range(len(traffic()))]
    late = [each.model_copy(update={"received_at": each.time + later}) for each, later in zip(traffic(), by, strict=True)]
    (note,) = found_in(tmp_path, late)
    assert (note.kind, note.what) == ("late", "10% came more than an hour after they happened, 0.0% more than a day")


# -- pure parts --------------------------------------------------------------------------------


@law(100)
@given(st.integers(0, 10**6), st.integers(24 * 14, 24 * 40), st.floats(1, 20), st.integers(0, 600), st.integers(1, 200))
def test_a_gap_is_a_run_of_empty_hours_that_its_own_rhythm_makes_unlikely(seed: int, length: int, rate: float, at: int, hours: int) -> None:
    random = Random(seed)
    counts = {h: max(1, round(random.gauss(rate, rate**0.5))) for h in range(1000, 1000 + length)}
    begin = 1000 + min(at, length - 1)
    end = min(begin + hours, 1000 + length)
    for hour in range(begin, end):
        counts.pop(hour)
    found = gaps(counts, 1000, 1000 + length)
    assert len(found) <= 1
    for gap in found:
        assert (gap.begin, gap.end, gap.ongoing) == (begin, end, end == 1000 + length)
        assert gap.expected >= UNLIKELY
    if not found and begin > 1000 + length // 2:
        assert (end - begin) * rate < 6 * UNLIKELY


def test_a_rhythm_is_not_known_from_a_day() -> None:
    assert gaps({0: 100, 1: 100}, 0, 48) == []


@given(st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=40), st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=40))
def test_the_distance_of_two_samples_is_that_of_scipy(before: list[float], after: list[float]) -> None:
    assert ks(before, after) == pytest.approx(ks_2samp(before, after).statistic)
    assert ks(before, after) == ks(after, before)
    assert ks(before, before) == 0


@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(0, 500), min_size=1),
    st.dictionaries(st.sampled_from("abcde"), st.integers(0, 500), min_size=1),
)
def test_the_population_stability_index_is_never_negative_and_the_same_both_ways(before: dict[str, int], after: dict[str, int]) -> None:
    assert psi(before, after) >= 0
    assert psi(before, after) == pytest.approx(psi(after, before))
    assert psi(before, before) == 0


def test_samples_of_one_population_stay_below_what_chance_allows_and_a_known_example_is_right() -> None:
    random = Random(3)
    for _ in range(200):
        draws = [random.choice("abcdefgh") for _ in range(400)]
        one, other = draws[:150], draws[150:]
        counts = [{letter: each.count(letter) for letter in "abcdefgh"} for each in (one, other)]
        assert psi(*counts) < max(PSI_SHIFTED, psi_by_chance(8, 150, 250))
    assert psi({"a": 9000, "b": 1000}, {"a": 8000, "b": 2000}) == pytest.approx(0.0811, abs=5e-4)  # (.8-.9)ln(.8/.9)+(.2-.1)ln(2)
    assert ks_by_chance(100, 100) == pytest.approx(0.2758, abs=1e-3)


# -- what people tried, and it did not find ----------------------------------------------------


def test_what_an_import_brought_is_looked_at_too(tmp_path: Path) -> None:
    stopped = END - timedelta(hours=15)
    rows = [(i, one) for i, one in enumerate(traffic(lambda i, at: {"price": 1 if at < PERIOD.middle else 90} if at < stopped else None))]
    database = Database("sqlite://")
    defined = definitions(tmp_path)
    database.write_now(lambda connection: write_history(connection, rows, END, 1, Policy()))
    result = Audit()
    list(audit(database, defined, PERIOD, result))
    assert result.events == len(rows)
    assert {(note.kind, note.event) for note in result.notes} == {("gap", "*"), ("drift", "Product Viewed")}


def test_an_outage_of_business_hours_is_a_gap_and_a_weekend_is_none(tmp_path: Path) -> None:
    out = range(8 + 24, 18 + 24)  # the last Tuesday's, of hours since the last Monday
    monday = (END - timedelta(days=7)).replace(hour=0)

    def working(i: int, at: datetime) -> dict[str, Any] | None:
        silent = (at - monday) // timedelta(hours=1) in out
        return {} if at.weekday() < 5 and 9 <= at.hour < 17 and not silent else None

    notes = found_in(tmp_path, traffic(working, each_hour=1))
    (gap,) = [note for note in notes if note.kind == "gap"]
    assert f"from {monday:%Y-%m-%d} 17:00 to {monday + timedelta(days=2):%Y-%m-%d} 09:00" in gap.what


def test_dates_in_the_future_are_told(tmp_path: Path) -> None:
    said = {"messageId": "f", "userId": "u1", "event": "Product Viewed"}
    ahead = [
        read_event(
            {**said, "messageId": f"f{i}", "timestamp": (END + timedelta(days=i % 3)).isoformat()},
            "track",
            received_at=END - timedelta(hours=1),
        )
        for i in range(6)
    ]
    assert all(one.time == END - timedelta(hours=1) for one in ahead)
    (note,) = [note for note in found_in(tmp_path, traffic() + ahead) if note.kind == "future"]
    assert (note.event, note.count) == ("Product Viewed", 6)


def test_a_zone_that_is_wrong_is_told_by_whole_hours_and_by_a_day_that_moved(tmp_path: Path) -> None:
    late = [each.model_copy(update={"received_at": each.time + timedelta(hours=2, seconds=i % 60)}) for i, each in enumerate(traffic())]
    assert any(note.kind == "zone" and "exactly 2 hours" in note.what for note in found_in(tmp_path / "late", late))
    since = PERIOD.since + timedelta(days=17)
    moved = [
        each.model_copy(update={"time": each.time + timedelta(hours=5), "received_at": each.time + timedelta(hours=5)})
        if each.time >= since
        else each
        for each in traffic()
        if each.time < END - timedelta(hours=5)
    ]
    (note,) = [note for note in found_in(tmp_path / "moved", moved) if note.kind == "zone"]
    assert "moved by +5 h" in note.what
    days = [since + timedelta(days=day) for day in (0, 1)]
    assert note.what in [f"its hours of the day moved by +5 h from about {day:%Y-%m-%d}" for day in days]


def test_one_order_id_twice_is_told_however_far_apart(tmp_path: Path) -> None:
    at = PERIOD.since + timedelta(days=3)
    orders = [
        envelope(200_000 + i, at + timedelta(hours=i), "Order Completed", order_id=f"o{i % 9}", revenue=i, who=f"u{i}") for i in range(12)
    ]
    orders += [envelope(300_000 + i, at + timedelta(hours=i), "Order Completed", order_id=i % 2, revenue=i) for i in range(2, 5)]
    notes = found_in(tmp_path, traffic() + orders, **{"events/order": "event: Order Completed\ndescription: d\n"})
    (note,) = [note for note in notes if note.kind == "duplicates"]
    assert (note.path, note.count, note.what) == ("order_id", 8, "4 came more than once, in 8 events")
