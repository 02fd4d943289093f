from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.clock import REAL_TIME, real_now
from sojourn.errors import SettingsError
from sojourn.timekeeping import STARTING, open_clock, read_clock, week_opening


def test_a_second_start_and_every_process_go_on_in_the_same_shop_time(tmp_path: Path) -> None:
    first = open_clock(tmp_path, 3600)
    for later in (open_clock(tmp_path, 1.0), open_clock(tmp_path, 3600), read_clock(tmp_path)):
        assert later.scale == first.scale
    real = real_now()
    assert first.scale.to_shop(real + timedelta(seconds=1)) - first.scale.to_shop(real) == timedelta(hours=1)


@given(minutes=st.integers(0, 50_000_000))
def test_a_week_opens_on_the_latest_monday_at_eight(minutes: int) -> None:
    now = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    opening = week_opening(now)
    assert (opening.weekday(), opening.hour, opening.minute, opening.second) == (0, 8, 0, 0)
    assert timedelta(0) <= now - opening < timedelta(days=7)


def test_a_new_fast_clock_shows_monday_morning_when_all_has_started(tmp_path: Path) -> None:
    before = real_now()
    scale = open_clock(tmp_path, 3600).scale
    assert before <= scale.real_origin - STARTING <= real_now()
    assert scale.to_shop(scale.real_origin) == week_opening(before)


def test_real_time_is_the_default_and_stays(tmp_path: Path) -> None:
    assert read_clock(tmp_path).scale == REAL_TIME
    open_clock(tmp_path, 1.0)
    with pytest.raises(SettingsError, match="time scale of 1"):
        open_clock(tmp_path, 60)


def test_another_scale_for_the_same_data_is_refused(tmp_path: Path) -> None:
    open_clock(tmp_path, 60)
    with pytest.raises(SettingsError, match="another --data-dir"):
        open_clock(tmp_path, 3600)


def test_data_that_began_in_real_time_gets_no_fast_clock(tmp_path: Path) -> None:
    (tmp_path / "sojourn.db").touch()
    with pytest.raises(SettingsError, match="real time"):
        open_clock(tmp_path, 60)
    assert open_clock(tmp_path, 1.0).scale == REAL_TIME


def test_a_damaged_clock_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text("{}x")
    with pytest.raises(SettingsError, match="damaged"):
        read_clock(tmp_path)
