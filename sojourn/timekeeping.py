"""The shop's clock on the disk, so that every process and every later start of the same data agree on the time."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path

from pydantic import ValidationError

from sojourn.clock import REAL_TIME, SystemClock, TimeScale, real_now
from sojourn.errors import SettingsError

FILE = "clock.json"
OPENING = time(8)  # UTC, of a Monday: a fast clock begins a shop's week, not in a night in which mail is held
STARTING = timedelta(seconds=15)  # real; what the parts take to start before anything can happen


def read_clock(data_dir: Path) -> SystemClock:
    """Return the clock of a data folder: the real time, unless the folder was begun with a time scale.

    Raises:
        SettingsError: the file that says so is damaged.
    """
    path = data_dir / FILE
    try:
        return SystemClock(TimeScale.model_validate_json(path.read_bytes()))
    except FileNotFoundError:
        return SystemClock(REAL_TIME)
    except (OSError, ValidationError):
        raise SettingsError(f"{path} is damaged; restore it, or begin anew with another --data-dir") from None


def open_clock(data_dir: Path, scale: float) -> SystemClock:
    """Return the clock of a data folder, begun with a time scale where it is new.

    A folder keeps the scale that it was begun with: timers that already run were computed with it. A new
    fast clock shows the latest Monday, 08:00 UTC, when STARTING has passed.

    Args:
        data_dir: the folder.
        scale: what was asked for; 1 asks for nothing and takes what is there.

    Raises:
        SettingsError: the folder runs at another scale.
    """
    path = data_dir / FILE
    if path.exists():
        clock = read_clock(data_dir)
        if scale not in (1.0, clock.scale.scale):
            raise SettingsError(
                f"{data_dir} was begun with a time scale of {clock.scale.scale:g}; leave the scale out, or take another --data-dir"
            )
        return clock
    if scale != 1.0 and (data_dir / "sojourn.db").exists():
        raise SettingsError(f"{data_dir} already runs in real time; for a fast clock take another --data-dir, such as var/fast")
    now = real_now()
    kept = REAL_TIME if scale == 1.0 else TimeScale(scale=scale, real_origin=now + STARTING, shop_origin=week_opening(now))
    data_dir.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(kept.model_dump_json(indent=2))
    draft.replace(path)
    return SystemClock(kept)


def week_opening(now: datetime) -> datetime:
    """Return the latest Monday, 08:00 UTC, that is not after a moment."""
    monday = datetime.combine(now.date() - timedelta(days=now.weekday()), OPENING, now.tzinfo)
    return monday if monday <= now else monday - timedelta(days=7)
