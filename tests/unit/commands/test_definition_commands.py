import json
from pathlib import Path

import pytest
from console_script import app
from typer.testing import CliRunner

from sojourn.commands.definitions import ALL_SCHEMAS

BAD = Path(__file__).parents[2] / "bad_definitions" / "folders"
SHOP = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"
JOURNEY = "journey: sample\ndescription: A sample.\nenter: {on: Signed Up}\nsteps:\n  - wait: 1h\n  - end: done\n"
run = CliRunner()


@pytest.fixture
def journeys(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "sample.yaml").write_text(JOURNEY, encoding="utf-8")
    return tmp_path


def test_check_says_that_all_is_well(journeys: Path) -> None:
    result = run.invoke(app, ["check", "--journeys", str(journeys)])
    assert result.exit_code == 0
    assert "all is well: 1 journey," in result.stdout


def test_check_finds_the_folder_by_the_environment(journeys: Path) -> None:
    assert run.invoke(app, ["check"], env={"SOJOURN_JOURNEYS_DIR": str(journeys)}).exit_code == 0


@pytest.mark.parametrize("folder", sorted(BAD.iterdir()), ids=lambda path: path.name)
def test_check_prints_every_problem_with_its_place_and_exits_with_1(folder: Path) -> None:
    result = run.invoke(app, ["check", "--journeys", str(folder)])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    for expected in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
        assert any(line.endswith(expected) for line in lines), expected


def test_draw_prints_a_flowchart_or_markdown(journeys: Path) -> None:
    plain = run.invoke(app, ["draw", "sample", "--journeys", str(journeys)])
    assert plain.stdout.startswith("flowchart TD\n")
    every = run.invoke(app, ["draw", "--markdown", "--journeys", str(journeys)])
    assert every.stdout.startswith("## sample\n\n```mermaid\nflowchart TD\n")


def test_draw_of_an_unknown_journey_names_the_nearest(journeys: Path) -> None:
    result = run.invoke(app, ["draw", "smaple", "--journeys", str(journeys)])
    assert result.exit_code == 1
    assert "did you mean `sample`?" in result.stderr


MAIL = """---
subject: Hello
---
<mjml><mj-body><mj-section><mj-column>
BODY
<mj-text><a href="{{ unsubscribe_url }}">stop</a> {{ shop.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>
"""


def test_check_asks_contents_for_what_journeys_know_and_warns_of_what_is_compiled_for_each_person(journeys: Path) -> None:
    (journeys / "content" / "blocks").mkdir(parents=True)
    (journeys / "content" / "blocks" / "a.mjml").write_text("a", encoding="utf-8")
    mail = journeys / "content" / "mail.mjml"
    mail.write_text(MAIL.replace("BODY", "{% section if='segment.vip' %}<mj-text>x</mj-text>{% endsection %}"), encoding="utf-8")
    told = run.invoke(app, ["check", "--journeys", str(journeys)])
    assert told.exit_code == 1
    assert "mail.mjml:5:1: `section`: unknown segment `vip`" in told.output
    body = "{% set x %}{% include 'blocks/a.mjml' %}{% endset %}<mj-text>{{ x }}</mj-text>"
    mail.write_text(MAIL.replace("BODY", body), encoding="utf-8")
    told = run.invoke(app, ["check", "--journeys", str(journeys)])
    assert told.exit_code == 0
    assert "mail.mjml:5:1: warning: an include or block within `set`" in told.output


def test_schema_prints_json_and_writes_all_kinds(tmp_path: Path) -> None:
    assert json.loads(run.invoke(app, ["schema", "segment"]).stdout)["title"] == "Segment"
    assert run.invoke(app, ["schema", "--out", str(tmp_path / "schemas")]).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "schemas").iterdir()) == [f"{kind}.schema.json" for kind in sorted(ALL_SCHEMAS)]
    for kind in ALL_SCHEMAS:  # each by itself too
        assert run.invoke(app, ["schema", kind]).exit_code == 0, kind
    theme = json.loads((tmp_path / "schemas" / "theme.schema.json").read_text())
    assert {"colors", "dark", "fonts"} <= set(theme["properties"])


@pytest.mark.parametrize("command", ["check", "draw", "schema"])
def test_each_command_teaches(command: str) -> None:
    result = run.invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert len(result.stdout) > 300
