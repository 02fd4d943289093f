"""`sojourn import` and `sojourn export`, as they are typed."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sojourn.cli import build

JOURNEYS = Path(__file__).parents[3] / "journeys"


@pytest.fixture
def sojourn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path / "var"))
    return lambda *words: CliRunner().invoke(build(), list(words))


def test_a_list_goes_in_with_a_mapping_and_comes_out_as_it_was(sojourn) -> None:
    Path("customers.csv").write_text("customer,first,city,consent.marketing\n1,Ann,Paris,yes\n2,Bob,Rome,perhaps\n")
    mapped = ("--map", "customer=user_id", "--map", "first=first_name")
    rehearsed = sojourn("import", "profiles", "customers.csv", *mapped, "--dry-run")
    assert "would import 2 rows: 1 new people, 0 known, 1 refused" in rehearsed.output
    assert "customers.csv:3: a consent must be true or false" in rehearsed.output
    assert not Path("customers.csv.errors.csv").exists()
    done = sojourn("import", "profiles", "customers.csv", *mapped)
    assert done.exit_code == 0
    assert "1 new people" in done.output
    assert "customers.csv.errors.csv" in done.output
    assert "imported before" in sojourn("import", "profiles", "customers.csv", *mapped).output
    assert "customers.csv" in sojourn("import", "status").output
    assert sojourn("export", "profiles", "out.csv", "--where", 'profile.city == "Paris"').exit_code == 0
    (row,) = csv.DictReader(Path("out.csv").read_text().splitlines())
    assert (row["user_id"], row["traits.first_name"], row["consent.marketing"]) == ("1", "Ann", "true")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "profiles", "gone.csv"), "gone.csv cannot be read"),
        (("import", "profiles", "p.csv", "--map", "x"), "write COLUMN=TARGET"),
        (("import", "profiles", "p.csv", "--map", "idd=user_id"), "did you mean `id`"),
        (("import", "profiles", "p.csv", "--as-of", "soon"), "--as-of must be a moment"),
        (("export", "profiles", "out.csv"), "there is no data"),
    ],
)
def test_a_mistake_ends_with_a_sentence(sojourn, words, said) -> None:
    Path("p.csv").write_text("id\n1\n")
    result = sojourn(*words)
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize(("where", "said"), [("profile.city ==", "--where"), ("event.price > 1", "--where asks about people")])
def test_a_condition_that_cannot_be_asked_is_refused(sojourn, where, said) -> None:
    Path("p.csv").write_text("id\n1\n")
    sojourn("import", "profiles", "p.csv")
    result = sojourn("export", "profiles", "out.csv", "--where", where)
    assert result.exit_code == 1
    assert said in result.output
    assert not Path("out.csv").exists()


def test_a_value_that_is_refused_is_counted_named_and_shown(sojourn) -> None:
    Path("journeys").mkdir()
    Path("journeys/profile.yaml").write_text(
        "traits:\n  email: {type: text, normalise: email, personal: contact, description: Where mail goes.}\n"
    )
    Path("p.csv").write_text("id,email\nu1,no address\nu2,bob@example.com\nu3,x@\n")
    for words in (("--dry-run",), ()):
        done = sojourn("import", "profiles", "p.csv", *words)
        assert done.exit_code == 0, done.output
        assert "2 values" in done.output
        assert "email 2 (first in line 2)" in done.output
    shown = " ".join(sojourn("profile", "u1").output.split())
    assert "not taken email: not an e-mail address" in shown
    assert "not taken" not in sojourn("profile", "u2").output


LIVE = """customer,placed,action,price
1,2026-01-05T10:00:00Z,Product Added,30
1,2026-01-05T11:00:00Z,Product Added,30
2,2026-01-05T12:00:00Z,Product Added,40
3,2026-01-05T13:00:00Z,Signed Up,
4,2026-01-05T14:00:00Z,Order Refunded,5
"""


@pytest.mark.parametrize("rehearsed", [True, False])
def test_live_events_say_for_how_many_people_journeys_begin_before_they_come_in(sojourn, rehearsed) -> None:
    Path("live.csv").write_text(LIVE)
    mapped = ("--map", "customer=user_id", "--map", "placed=time", "--map", "action=event", "--journeys", str(JOURNEYS))
    said = " ".join(sojourn("import", "events", "live.csv", *mapped, "--live", *(["--dry-run"] if rehearsed else [])).output.split())
    assert f"5 events {'would come' if rehearsed else 'come'} in as new, 200 a second: 1s" in said
    assert "cart_abandonment begins on Product Added: for 2 people at most" in said
    assert "onboarding begins on Signed Up: for 1 people at most" in said
    assert said.count(" begins on ") == 2
    assert "hear of them, and all of the segments" in said
    if not rehearsed:
        assert said.index("cart_abandonment begins") < said.index("5 rows in")
        assert "0 events come in as new" not in said


def test_history_says_nothing_of_journeys(sojourn) -> None:
    Path("history.csv").write_text(LIVE)
    mapped = ("--map", "customer=user_id", "--map", "placed=time", "--map", "action=event", "--journeys", str(JOURNEYS))
    assert "journey" not in sojourn("import", "events", "history.csv", *mapped, "--dry-run").output


@pytest.mark.parametrize(("column", "warned"), [("newsletter", True), ("consent.marketing", False)])
def test_an_import_says_where_nobody_of_it_can_be_mailed(sojourn, column, warned) -> None:
    Path("customers.csv").write_text(f"user_id,email,{column}\n1,ann@shop-customers.example,yes\n2,bob@shop-customers.example,no\n")
    for words in (("--dry-run",), ()):
        said = " ".join(sojourn("import", "profiles", "customers.csv", "--journeys", str(JOURNEYS), *words).output.split())
        assert ("no row says a consent to marketing" in said) == warned
        assert ("--map COLUMN=consent.marketing" in said) == warned
