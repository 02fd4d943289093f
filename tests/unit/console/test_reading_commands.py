from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
from people import SEND, settle_in

from sojourn.commands import profile, why
from sojourn.store.database import Database


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def shop(data_dir: Path) -> Path:
    database = Database(f"sqlite:///{data_dir}/sojourn.db")
    database.write_now(settle_in)
    return data_dir


def run(*arguments: str):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    profile.register(app)
    why.register(app)
    return CliRunner().invoke(app, list(arguments))


def test_profile_tells_who_someone_is_and_what_happened_newest_first(shop: Path) -> None:
    said = run("profile", "anon-1").output
    for part in ("alice/1 (user_id)", "marketing: given", "Europe/Paris", "not entered onboarding", "no consent", SEND):
        assert part in said
    assert said.index("left cart_abandonment: browsed") < said.index("entered cart_abandonment") < said.index("Product Added")


def test_profile_says_how_to_see_more_than_fits(shop: Path) -> None:
    assert "--limit 2" in run("profile", "alice/1", "--limit", "1").output


def test_why_tells_every_verdict_and_because(shop: Path) -> None:
    said = run("why", SEND).output
    for part in ("accepted", "consent", "pass", "granted by form", "if score < 0.8", "250 ok", "Your [cart]", "Email Link Clicked"):
        assert part in said


@pytest.mark.parametrize(
    ("arguments", "sentence"), [(("profile", "nobody"), "no profile has this id"), (("why", "none"), "no send has this key")]
)
def test_what_is_not_known_is_said_in_a_sentence(shop: Path, arguments: tuple[str, ...], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert sentence in result.output


def test_without_data_the_commands_say_how_to_begin_and_leave_nothing_behind(data_dir: Path) -> None:
    result = run("why", SEND)
    assert result.exit_code == 1
    assert "sojourn up" in result.output
    assert list(data_dir.iterdir()) == []


def test_a_database_that_is_not_ours_is_said_so(data_dir: Path) -> None:
    (data_dir / "sojourn.db").touch()
    result = run("profile", "x")
    assert result.exit_code == 1
    assert "SOJOURN_DATABASE_URL" in result.output
