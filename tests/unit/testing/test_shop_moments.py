"""Dates, moments with offsets and numbers since 1970, as conditions read them in a shop of virtual time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from shop_definitions import journey

from sojourn.testing import Shop

SPRING = 'segment: spring\ndescription: It is spring where they are.\nmembers: \'now >= "2026-03-01" and did("Looked")\'\n'
BORN = "segment: grown_up\ndescription: Of age.\nmembers: 'days_since(profile.birth_date) >= 2'\n"
SOON = (
    "segment: soon\ndescription: Booked for after two o'clock on the fifth.\n"
    'members: count("Booked", where="event.starts_at >= \\"2026-01-05T14:00:00Z\\"") > 0\n'
)
LATE = datetime(2026, 2, 28, 12, tzinfo=UTC)
ENTERING = journey(
    "booked", "purpose: transactional\nenter: {on: Booked, if: 'event.starts_at >= \"2026-01-05T14:00:00Z\"'}\nsteps: [{wait: 1d}]\n"
)
BOOKED = """\
event: Booked
description: Someone books.
properties:
  type: object
  properties:
    starts_at: {type: [string, integer, number], format: date-time}
    counted_at: {type: integer}
"""


def test_a_date_in_a_condition_is_midnight_where_the_person_is() -> None:
    with Shop(segments=[SPRING], start=LATE) as shop:
        for name, zone in (("tokyo", "Asia/Tokyo"), ("berlin", "Europe/Berlin"), ("new york", "America/New_York"), ("nowhere", "Mars")):
            shop.track(name, "Looked", context={"timezone": zone})
        shop.advance("2h 59m 59s")
        assert shop.members("spring") == []
        shop.advance("1s")  # 15:00 UTC
        assert shop.members("spring") == ["tokyo"]
        shop.advance("8h")
        assert shop.members("spring") == ["berlin", "tokyo"]
        shop.advance("1h")  # midnight in UTC, the shop's zone
        assert shop.members("spring") == ["berlin", "nowhere", "tokyo"]
        shop.advance("4h 59m 59s")
        assert not shop.in_segment("new york", "spring")
        shop.advance("1s")
        assert shop.in_segment("new york", "spring")


def test_who_moves_to_another_zone_is_judged_anew_at_once_and_at_the_new_midnight() -> None:
    with Shop(segments=[SPRING], start=LATE) as shop:
        shop.track("ada", "Looked", context={"timezone": "America/New_York"})
        shop.advance("4h")  # 16:00 UTC: it is the first of March in Tokyo
        shop.track("ada", "Unheard Of", context={"timezone": "Asia/Tokyo"})
        assert shop.members("spring") == ["ada"]
        shop.track("ada", "Unheard Of", context={"timezone": "Europe/Berlin"})
        assert shop.members("spring") == []
        shop.advance("6h 59m 59s")
        assert shop.members("spring") == []
        shop.advance("1s")
        assert shop.members("spring") == ["ada"]


def test_days_since_a_date_begin_at_its_midnight_where_the_person_is() -> None:
    with Shop(segments=[BORN], start=datetime(2026, 1, 6, 14, tzinfo=UTC)) as shop:
        shop.identify("tokyo", {"birth_date": "2026-01-05"}, context={"timezone": "Asia/Tokyo"})
        shop.identify("lisbon", {"birth_date": "2026-01-05"}, context={"timezone": "Europe/Lisbon"})
        assert shop.members("grown_up") == []
        shop.advance("1h")
        assert shop.members("grown_up") == ["tokyo"]
        shop.advance("9h")
        assert shop.members("grown_up") == ["lisbon", "tokyo"]


@pytest.mark.parametrize(
    ("starts_at", "is_in"),
    [
        ("2026-01-05T14:00:00Z", True), ("2026-01-05T15:00:00+01:00", True), ("2026-01-05T08:59:59-05:00", False),
        ("2026-01-05T09:00:00-05:00", True), ("2026-01-05T14:30:00+01:00", False), ("2026-01-05 14:00", True),
        ("2026-01-05T13:59:59.999Z", False), ("2026-01-05T14:00:00.000001+00:00", True), ("2026-01-05", False), ("2026-01-06", True),
        ("9999", False), ("soon", False), ("", False), (None, False), (1767621600, False),
    ],
)  # fmt: skip
def test_a_text_that_holds_a_moment_is_compared_as_one_and_any_other_holds_in_no_order(starts_at: object, is_in: bool) -> None:
    with Shop(segments=[SOON], journeys=[ENTERING]) as shop:
        shop.track("ada", "Booked", {"starts_at": starts_at})
        assert (shop.members("soon") == ["ada"], len(shop.entries("ada")) == 1) == (is_in, is_in)


@pytest.mark.parametrize(
    ("starts_at", "is_in"),
    [
        (1767621600, True), (1767621599, False), (1767621600000, True), (1767621599999, False), (1767621600.5, True),
        ("2026-01-05T15:00:00+01:00", True), ("2026-01-05T13:00:00Z", False),
    ],
)  # fmt: skip
def test_a_number_is_a_moment_where_the_schema_says_so(starts_at: object, is_in: bool, tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "booked.yaml").write_text(BOOKED, encoding="utf-8")
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "soon.yaml").write_text(SOON, encoding="utf-8")
    old = 'segment: lately\ndescription: Booked for lately.\nmembers: \'days_since(last("Booked", "starts_at")) <= 1\'\n'
    (tmp_path / "segments" / "lately.yaml").write_text(old, encoding="utf-8")
    (tmp_path / "booked.yaml").write_text(ENTERING, encoding="utf-8")
    with Shop(journeys_dir=tmp_path) as shop:
        shop.track("ada", "Booked", {"starts_at": starts_at, "counted_at": 1767621600})
        assert (shop.members("soon") == ["ada"], len(shop.entries("ada")) == 1) == (is_in, is_in)
        shop.advance("1d 4h 59m 58s")  # to two seconds before two o'clock of the sixth
        assert shop.members("lately") == (["ada"] if starts_at != "2026-01-05T13:00:00Z" else [])
        shop.advance("3s")
        assert shop.members("lately") == []


def test_a_trait_of_the_type_moment_takes_numbers_since_1970(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text("traits:\n  renewed_at: {type: moment, personal: behaviour}\n", encoding="utf-8")
    (tmp_path / "segments").mkdir()
    members = "segment: renewed\ndescription: Renewed.\nmembers: 'profile.renewed_at >= \"2026-01-05T14:00:00Z\"'\n"
    (tmp_path / "segments" / "renewed.yaml").write_text(members, encoding="utf-8")
    with Shop(journeys_dir=tmp_path) as shop:
        given = {"s": 1767621600, "ms": 1767621600000, "early": 1767621599, "text": "2026-01-05T15:00:00+01:00", "huge": 7e20}
        for name, value in given.items():
            shop.identify(name, {"renewed_at": value})
        assert shop.members("renewed") == ["ms", "s", "text"]
        assert shop.profile("s").traits["renewed_at"] == "2026-01-05T14:00:00.000000Z"
