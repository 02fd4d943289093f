import json
from pathlib import Path

import pytest
from console_script import app
from typer.testing import CliRunner

from sojourn.commands.definitions import ALL_SCHEMAS

BAD = Path(__file__).parents[2] / "bad_definitions" / "folders"
WARNED = BAD.parent / "warned"
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


@pytest.mark.parametrize("folder", sorted(path for path in WARNED.iterdir() if path.is_dir()), ids=lambda path: path.name)
def test_check_prints_every_warning_with_its_place_and_exits_with_0_or_with_1_where_it_is_strict(folder: Path) -> None:
    result = run.invoke(app, ["check", "--journeys", str(folder)])
    assert (result.exit_code, "all is well" in result.stdout) == (0, True)
    expected = folder.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    places = [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in expected]
    told = [line for line in result.stderr.splitlines() if ": warning: " in line]
    assert len(told) == len(expected)
    assert not [f"{place} {said}" for place, said in places if not any(line.endswith(f"{place} warning: {said}") for line in told)]
    strict = run.invoke(app, ["check", "--strict", "--journeys", str(folder)])
    assert (strict.exit_code, "all is well" in strict.stdout) == (1, False)


def test_a_mistake_of_shape_hides_nothing_of_the_contents_and_warnings_are_told_beside_mistakes() -> None:
    result = run.invoke(app, ["check", "--journeys", str(BAD / "shape_beside_conditions")])
    assert "hello.mjml:9:1: `section`: unknown segment `gooold`; did you mean `gold`?" in result.stderr
    result = run.invoke(app, ["check", "--journeys", str(BAD / "what_can_never_be")])
    assert 'f.yaml:21:68: warning: `event.price` is a number and `"5"` is a text: this never holds' in result.stderr


def test_a_journey_that_enters_itself_without_a_wait_is_an_error_of_check_and_runs_with_a_warning() -> None:
    result = run.invoke(app, ["check", "--journeys", str(BAD / "what_can_never_be")])
    assert result.exit_code == 1
    end = "without a wait on the way: there is no end to it; put a `wait` before this step"
    assert f"a.yaml:6:12: `a` enters itself {end}" in result.stderr
    assert f"b.yaml:12:19: `b` enters itself again (b → c → d → b) {end}" in result.stderr
    assert result.stderr.count("enters itself") == 2


def test_a_variant_that_its_content_does_not_describe_is_an_error(journeys: Path) -> None:
    (journeys / "content").mkdir()
    head = "subject: Hello\nvariants:\n  plain: {subject: Hi}\n  playful: {subject: Hey}"
    (journeys / "content" / "mail.mjml").write_text(MAIL.replace("subject: Hello", head).replace("BODY", ""), encoding="utf-8")
    send = "  - send: mail\n    variants: {plain: 50, playfull: 50}\n    choose: experiment\n  - end: done\n"
    (journeys / "sample.yaml").write_text(JOURNEY.replace("  - end: done\n", send), encoding="utf-8")
    result = run.invoke(app, ["check", "--journeys", str(journeys)])
    assert result.exit_code == 1
    assert "sample.yaml:7:27: unknown variant `playfull`; did you mean `playful`? (of the content `mail`)" in result.stderr


def test_without_declared_events_a_name_that_nearly_stands_elsewhere_is_told(journeys: Path) -> None:
    (journeys / "other.yaml").write_text(JOURNEY.replace("sample", "other").replace("Signed Up", "Signd Up"), encoding="utf-8")
    (journeys / "third.yaml").write_text(JOURNEY.replace("sample", "third").replace("Signed Up", "Email Bounceed"), encoding="utf-8")
    (journeys / "fourth.yaml").write_text(JOURNEY.replace("sample", "fourth"), encoding="utf-8")
    result = run.invoke(app, ["check", "--journeys", str(journeys)])
    assert "other.yaml:3:13: warning: the event `Signd Up` stands nowhere else; did you mean `Signed Up`?" in result.stderr
    assert "third.yaml:3:13: warning: the event `Email Bounceed` stands nowhere else; did you mean `Email Bounced`?" in result.stderr
    assert result.stderr.count("warning") == 2


def test_the_shipped_definitions_check_without_a_warning_about_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD.parents[2])
    result = run.invoke(app, ["check"])
    assert result.exit_code == 0
    assert [line for line in result.stderr.splitlines() if "more than 5: who meets it" not in line] == []


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
