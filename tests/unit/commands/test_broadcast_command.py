"""`sojourn broadcast schedule`, as it is typed, on the data of a shop in virtual time."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from console_script import app
from typer.testing import CliRunner

from sojourn.clock import TimeScale, real_now
from sojourn.testing import Shop
from sojourn.timekeeping import FILE

SETTINGS = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\nzone: UTC\n"
BROADCAST = "broadcast: news\ndescription: d\nto: profile.plan == 'gold'\ncontent: note\nat: {at}\nstop_after: 2h\n"


@pytest.fixture
def shop(tmp_path: Path) -> datetime:
    """A shop with one person, at the moment that is returned."""
    folder, data = tmp_path / "journeys", tmp_path / "var"
    (folder / "broadcasts").mkdir(parents=True)
    (folder / "content").mkdir()
    (folder / "content" / "note.mjml").write_text("---\nsubject: A note\n---\n<mjml><mj-body></mj-body></mjml>\n")
    (folder / "shop.yaml").write_text(SETTINGS)
    data.mkdir()
    with Shop(settings=SETTINGS, database_url=f"sqlite:///{data}/sojourn.db") as shop:
        shop.identify("ann", {"plan": "gold"})
        now = shop.now
    (data / FILE).write_text(TimeScale(scale=1e-9, real_origin=real_now(), shop_origin=now).model_dump_json())
    return now


def schedule(tmp_path: Path, at: datetime, answer: str) -> Result:
    (tmp_path / "journeys" / "broadcasts" / "news.yaml").write_text(BROADCAST.format(at=f"{at:%Y-%m-%d %H:%M}"))
    options = ["--journeys", str(tmp_path / "journeys"), "--data-dir", str(tmp_path / "var")]
    return CliRunner().invoke(app, ["broadcast", "schedule", "news", *options], input=answer)


def test_a_moment_that_has_passed_is_refused_before_anything_is_asked(shop: datetime, tmp_path: Path) -> None:
    done = schedule(tmp_path, shop - timedelta(hours=3), "")
    assert done.exit_code == 1
    assert "has passed; write one that is still to come" in " ".join(done.output.split())
    assert "Schedule it?" not in done.output


def test_it_is_said_that_a_broadcast_would_begin_at_once(shop: datetime, tmp_path: Path) -> None:
    assert "it begins at once" in schedule(tmp_path, shop - timedelta(hours=1), "n\n").output
    assert "it begins at once" not in schedule(tmp_path, shop + timedelta(hours=1), "n\n").output
    assert schedule(tmp_path, shop + timedelta(hours=1), "y\n").exit_code == 0
    again = schedule(tmp_path, shop + timedelta(hours=1), "")
    assert "is scheduled already" in again.output
    assert "Schedule it?" not in again.output


def test_a_moment_that_has_passed_in_the_file_can_be_given_anew(shop: datetime, tmp_path: Path) -> None:
    past = f"{shop - timedelta(days=9):%Y-%m-%d %H:%M}"
    (tmp_path / "journeys" / "broadcasts" / "news.yaml").write_text(BROADCAST.format(at=past))
    options = ["--journeys-dir", str(tmp_path / "journeys"), "--data-dir", str(tmp_path / "var")]
    words = ["broadcast", "schedule", "news", *options, "--at"]
    wrong = CliRunner().invoke(app, [*words, "soon"])
    assert wrong.exit_code == 1, wrong.output
    assert "'tomorrow 09:00'" in " ".join(wrong.output.split())
    done = CliRunner().invoke(app, [*words, "tomorrow 09:00"], input="y\n")
    assert done.exit_code == 0, done.output
    shown = CliRunner().invoke(app, ["broadcast", "show", "news", "--data-dir", str(tmp_path / "var")])
    assert f"begins {shop + timedelta(days=1):%Y-%m-%d}" in shown.output
