from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from laws import law

from sojourn.language.moments import DAYS, Hours, LocalMoment, calendar_span, next_local, zone_named

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia")
zones = st.sampled_from(ZONES)
moments = st.datetimes(datetime(2008, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive there
clocks = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
days = st.one_of(
    st.just(""),
    st.sampled_from(DAYS).map("{} ".format),
    st.builds("{}-{} ".format, st.sampled_from(DAYS), st.sampled_from(DAYS)),
    st.lists(st.sampled_from(DAYS), min_size=1, max_size=3).map(lambda names: ",".join(names) + " "),
)
hours = st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1]).map("-".join)


@given(days, clocks, moments, zones)
def test_the_next_moment_is_later_and_the_first_instant_of_an_allowed_day_whose_clock_has_reached_it(
    day: str, clock: str, after: datetime, zone: str
) -> None:
    found = next_local(day + clock, after, zone)
    local = found.astimezone(ZoneInfo(zone))
    wanted = LocalMoment.parse(day + clock)
    assert found > after
    assert found.tzinfo == UTC
    assert local.weekday() in wanted.days or local.utcoffset() != (local - timedelta(days=1)).utcoffset()
    if local.time() != wanted.at:  # the clock jumped over it
        just_before = (found - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
        assert just_before.replace(tzinfo=None) < datetime.combine(local.date(), wanted.at) <= local.replace(tzinfo=None)


@given(days, clocks, moments, zones, st.floats(0, 1))
def test_asking_again_before_the_next_moment_gives_the_same_moment(day: str, clock: str, after: datetime, zone: str, part: float) -> None:
    found = next_local(day + clock, after, zone)
    between = after + (found - after) * part
    if between < found:
        assert next_local(day + clock, between, zone) == found


@given(clocks, moments, zones)
def test_a_daily_moment_comes_within_a_day_and_what_a_clock_change_adds(clock: str, after: datetime, zone: str) -> None:
    skipped_day = timedelta(hours=24 if zone == "Pacific/Apia" else 0)
    assert next_local(clock, after, zone) - after <= timedelta(hours=26) + skipped_day


@pytest.mark.parametrize(
    ("text", "after", "zone", "expected"),
    [
        ("09:00", "2026-01-05T08:00", "UTC", "2026-01-05T09:00"),
        ("09:00", "2026-01-05T09:00", "UTC", "2026-01-06T09:00"),  # strictly later
        ("9:00", "2026-01-05T12:00", "Europe/Berlin", "2026-01-06T08:00"),
        ("tue 09:00", "2026-01-05T12:00", "UTC", "2026-01-06T09:00"),
        ("mon-fri 09:00", "2026-01-09T12:00", "UTC", "2026-01-12T09:00"),
        ("tue,thu 9:00", "2026-01-06T09:00", "UTC", "2026-01-08T09:00"),
        ("fri-mon 09:00", "2026-01-05T12:00", "UTC", "2026-01-09T09:00"),
        ("02:30", "2026-03-29T00:00", "Europe/Berlin", "2026-03-29T01:00"),  # skipped: when the clock jumps to 03:00
        ("02:30", "2026-10-24T22:00", "Europe/Berlin", "2026-10-25T00:30"),  # twice: the first
        ("02:30", "2026-10-25T00:30", "Europe/Berlin", "2026-10-26T01:30"),  # and not the second
        ("02:00", "2026-10-03T12:00", "Australia/Lord_Howe", "2026-10-03T15:30"),  # half an hour of a jump
        ("12:00", "2011-12-29T23:00", "Pacific/Apia", "2011-12-30T10:00"),  # the 30th never was: when the 31st begins
    ],
)
def test_local_moments_that_a_person_would_check(text: str, after: str, zone: str, expected: str) -> None:
    begin = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next_local(text, begin, zone) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


NO_MOMENTS = ["", "9", "24:00", "09:60", "tuesday 09:00", "tue 09:00 sharp", "tue- 09:00", "mon,, 09:00", "best_time", "-1:00"]


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_what_is_no_local_moment_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        LocalMoment.parse(text)


@given(hours, moments, zones)
def test_hours_are_open_exactly_when_their_complement_is_closed(text: str, now: datetime, zone: str) -> None:
    open_hours = Hours.parse(text)
    assert (open_hours.opens(now, zone) is None) != (open_hours.complement().opens(now, zone) is None)


@given(hours, moments, zones, st.floats(0, 1))
def test_hours_open_at_the_moment_they_say_and_at_none_before(text: str, now: datetime, zone: str, part: float) -> None:
    open_hours = Hours.parse(text)
    opens = open_hours.opens(now, zone)
    if opens is None:
        return
    assert open_hours.opens(opens, zone) is None
    between = now + (opens - now) * part
    assert between == opens or open_hours.opens(between, zone) == opens


@given(hours, moments)
def test_without_clock_changes_hours_follow_the_wall_clock(text: str, now: datetime) -> None:
    open_hours = Hours.parse(text)
    wall = now.timetz().replace(tzinfo=None)
    if open_hours.start < open_hours.end:
        inside = open_hours.start <= wall < open_hours.end
    else:
        inside = wall >= open_hours.start or wall < open_hours.end
    assert (open_hours.opens(now, "UTC") is None) == inside


@law(30)
@given(st.text(max_size=12))
def test_hours_are_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        assert Hours.parse(str(Hours.parse(text))) == Hours.parse(text)
    except ValueError as error:
        assert "write" in str(error) or "leave" in str(error)  # noqa: PT017


def test_quiet_hours_that_pass_midnight_end_in_the_morning() -> None:
    quiet = Hours.parse("21:00-08:00")
    night = datetime(2026, 1, 5, 23, 0, tzinfo=UTC)
    assert quiet.opens(night, "UTC") is None
    assert quiet.closes(night, "UTC") == datetime(2026, 1, 6, 8, 0, tzinfo=UTC)
    assert quiet.closes(datetime(2026, 1, 6, 8, 0, tzinfo=UTC), "UTC") is None  # the end is exclusive


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="Europe/Berlin"):
        zone_named("Europe/Brelin")


@given(st.sampled_from(["day", "week", "month"]), moments, zones.map(ZoneInfo))
def test_a_calendar_window_holds_its_moment_ends_where_the_next_begins_and_begins_on_its_first_day(per, moment, zone):
    begin, end = calendar_span(per, moment, zone)
    assert begin <= moment < end
    assert calendar_span(per, end, zone)[0] == end
    assert calendar_span(per, end - timedelta(microseconds=1), zone) == (begin, end)
    local = begin.astimezone(zone)
    assert per != "month" or local.day == 1
    assert per != "week" or local.weekday() == 0


def test_a_day_that_summer_time_shortens_or_lengthens_is_one_day_all_the_same():
    berlin = ZoneInfo("Europe/Berlin")
    lengths = [calendar_span("day", datetime(2026, *day, 12, tzinfo=UTC), berlin) for day in ((3, 28), (3, 29), (10, 25))]
    assert [(end - begin) / timedelta(hours=1) for begin, end in lengths] == [24, 23, 25]


@given(moments, zones.map(ZoneInfo), st.sets(st.integers(0, 6), min_size=1), st.integers(0, 23), st.integers(0, 23))
def test_hours_of_some_days_open_only_on_them(moment, zone, days, start, end):
    assume(start != end)
    hours = Hours(time(start), time(end), frozenset(days))
    opens = hours.opens(moment, zone)
    at = moment if opens is None else opens
    assert hours.opens(at, zone) is None
    if start < end:  # those that pass midnight belong to the day that they begin on
        assert at.astimezone(zone).weekday() in days


def test_days_are_written_before_hours_and_end_exclusive():
    office = Hours.parse("mon-fri 09:00-18:00")
    friday = datetime(2026, 1, 9, 18, tzinfo=UTC)
    assert office.opens(friday - timedelta(microseconds=1), "UTC") is None
    assert office.opens(friday, "UTC") == datetime(2026, 1, 12, 9, tzinfo=UTC)
    assert str(office) == "mon,tue,wed,thu,fri 09:00-18:00"
    with pytest.raises(ValueError, match="not the same every day"):
        office.complement()
