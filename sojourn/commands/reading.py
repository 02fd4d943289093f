"""What the commands that read the data share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

from sojourn.bulk.policy import Policy
from sojourn.clock import SystemClock
from sojourn.errors import SettingsError, SojournError
from sojourn.language.durations import parse_duration
from sojourn.language.identity_rules import IdentityRules
from sojourn.language.loader import EVENTS, PROFILE_FILE, SHOP_FILE, load_events, load_profile, load_shop
from sojourn.language.profile_model import ProfileSettings
from sojourn.settings import load_settings
from sojourn.store.database import SQLITE, Database
from sojourn.timekeeping import read_clock

DataDir = Annotated[Path | None, typer.Option(help="The folder of the data, as `up` has it.", show_default="var, or SOJOURN_DATA_DIR")]


@contextmanager
def reading(data_dir: Path | None = None) -> Iterator[Database]:
    """Open the database that the settings name; a mistake ends the command with a sentence."""
    database = None
    try:
        url = load_settings(keys=False, data_dir=data_dir).database_url
        _refuse_missing(url)
        database = Database(url)
        yield database
    except SojournError as error:
        Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    except (OperationalError, ProgrammingError):  # of a table that is not there, each store says one of the two
        Console(stderr=True).print("error: the database does not answer, or is not Sojourn's; see SOJOURN_DATABASE_URL", style="red")
        raise typer.Exit(1) from None
    finally:
        if database is not None:
            database.close_now()


def _refuse_missing(url: str) -> None:
    """Refuse a file that is not there before it is opened, which would make its folder: a mistyped name leaves nothing behind."""
    parsed = make_url(url)
    if parsed.get_backend_name() == SQLITE and not Path(str(parsed.database)).exists():
        raise SettingsError(f"there is no data at {parsed.database} yet; start with: sojourn up (or name its folder with --data-dir)")


def shop_clock(data_dir: Path | None = None) -> SystemClock:
    """Return the shop's clock, as its data folder has it: a fast one is not the real one.

    Raises:
        SettingsError: the file that says so is damaged.
    """
    return read_clock(load_settings(keys=False, data_dir=data_dir).data_dir)


def identity_rules(data_dir: Path | None = None) -> IdentityRules:
    """Return how identifiers join profiles, as the shop's profile.yaml says; the usual rules where there is none.

    Raises:
        DefinitionError: the file is wrong.
    """
    path = load_settings(keys=False, data_dir=data_dir).journeys_dir / PROFILE_FILE
    return load_profile(path.read_bytes(), str(path)).identity if path.is_file() else IdentityRules()


def policy_of(journeys: Path) -> Policy:
    """Return how words about people and events are taken, as a folder of definitions says; as they were said, where it says nothing.

    Reads profile.yaml, shop.yaml and events/, whatever the rest of the folder says.

    Raises:
        DefinitionError: one of them is wrong.
    """
    profile, shop = journeys / PROFILE_FILE, journeys / SHOP_FILE
    return Policy(
        load_profile(profile.read_bytes(), str(profile)) if profile.is_file() else ProfileSettings(),
        load_shop(shop.read_bytes(), str(shop)) if shop.is_file() else None,
        {name: event for name, (_, event) in load_events(journeys).items()} if (journeys / EVENTS).is_dir() else {},
    )


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment that a text names: a duration such as 2h before now, or a date and time, in UTC unless it says otherwise.

    Raises:
        SojournError: it is neither.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SojournError(f"{text!r} is no moment; write how long ago, such as 2h, or a time such as 2026-11-30T08:00") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def moment(at: datetime) -> str:
    """Return a moment as the commands show it."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
