"""Finding, reading and writing people."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from sojourn.customers import consent, profiles
from sojourn.customers.identity import resolve
from sojourn.errors import NotFound
from sojourn.store.database import Database

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class Named:
    kind: str = "identify"
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    profile_id: str | None = None
    keys: tuple[tuple[str, str], ...] = ()
    message_id: str = "m"
    time: datetime = NOW


@pytest.fixture
def database():
    opened = Database("sqlite://")
    return opened


def test_a_person_is_found_by_user_id_anonymous_id_or_profile_id(database):
    profile_id, merged = database.write_now(resolve, Named(user_id="u", anonymous_id="a"))
    assert merged == ()
    assert {database.read_now(profiles.find, key) for key in ("u", "a", profile_id)} == {profile_id}
    assert database.read_now(profiles.find, "nobody") is None
    assert database.read_now(profiles.external_ids, profile_id) == [("user_id", "u"), ("anonymous_id", "a")]


def test_a_user_id_and_an_anonymous_id_of_one_text_are_two(database):
    database.write_now(resolve, Named(kind="track", anonymous_id="x"))
    user, _ = database.write_now(resolve, Named(user_id="x"))
    assert database.read_now(profiles.find, "x") == user


def test_the_id_of_a_merged_profile_leads_to_the_one_that_lives_on(database):
    visitor, _ = database.write_now(resolve, Named(kind="track", anonymous_id="a"))
    user, _ = database.write_now(resolve, Named(user_id="u"))
    _, merged = database.write_now(resolve, Named(user_id="u", anonymous_id="a"))
    assert [(merge.loser_id, merge.winner_id) for merge in merged] == [(visitor, user)]
    assert database.read_now(profiles.find, visitor) == user
    assert database.read_now(profiles.load, visitor).id == user
    assert database.write_now(profiles.set_traits, visitor, {"stage": "x"}, NOW).traits == {"stage": "x"}
    assert database.read_now(profiles.load, user).traits == {"stage": "x"}


@pytest.mark.parametrize("ask", [profiles.canonical, profiles.load])
def test_an_unknown_profile_is_said(database, ask):
    with pytest.raises(NotFound, match="no such profile"):
        database.read_now(ask, "nobody")


def test_consent_is_recorded_once_for_one_cause_and_the_latest_stands(database):
    profile_id, _ = database.write_now(resolve, Named(user_id="u"))
    said = consent.Said("marketing", True, "import 2026-01", "v1")
    first = database.write_now(consent.record, profile_id, said, NOW, "file:1")
    assert database.write_now(consent.record, profile_id, said, NOW, "file:1") == first
    assert database.read_now(consent.standing, profile_id, "marketing") == consent.Consent(
        first, "marketing", True, NOW, "import 2026-01", "v1"
    )
    assert database.read_now(consent.standing, profile_id, "digest") is None
