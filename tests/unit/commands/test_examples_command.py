from pathlib import Path

import pytest
from console_script import app
from typer.testing import CliRunner

SHOP = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"
JOURNEY = """\
journey: sample
description: A sample.
enter: {on: Signed Up}
leave: [{on: Account Deleted, as: gone}]
steps:
  - wait: 1h
  - if: event.plan == "gold"
    then: [{end: golden}]
  - end: done
examples:
  - name: gold
    given: {event.plan: gold}
    expect: [golden]
  - name: plain
    expect: [done]
"""
GONE = "  - name: gone\n    events: {30m: Account Deleted}\n    expect: [gone]\n"
WRONG = "  - name: hopeful\n    expect: [golden]\n"
run = CliRunner()


@pytest.fixture
def journeys(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "sample.yaml").write_text(JOURNEY + GONE, encoding="utf-8")
    return tmp_path


def test_the_shipped_journeys_pass_and_no_branch_is_missed() -> None:
    folder = Path(__file__).parents[3] / "journeys"
    result = run.invoke(app, ["test", "--strict-coverage", "--journeys", str(folder)])
    assert result.exit_code == 0, result.output
    assert "no example takes" not in result.output


def test_examples_that_pass_exit_with_0(journeys: Path) -> None:
    result = run.invoke(app, ["test", "--strict-coverage", "--journeys", str(journeys)])
    assert result.exit_code == 0
    assert "3 examples passed" in result.output
    assert "3 of 3" in result.output


def test_a_failure_shows_expected_happened_and_the_because_of_each_step_and_exits_with_1(journeys: Path) -> None:
    (journeys / "sample.yaml").write_text(JOURNEY + GONE + WRONG, encoding="utf-8")
    result = run.invoke(app, ["test", "sample", "--journeys", str(journeys)])
    assert result.exit_code == 1
    assert "expected  golden" in result.output
    assert "happened  done" in result.output
    assert 'after 1h: if event.plan == "gold": no (not event.plan == "gold" (missing))' in result.output
    assert "1 example failed" in result.output


def test_a_branch_that_no_example_takes_is_named_and_fails_only_under_strict_coverage(journeys: Path) -> None:
    (journeys / "sample.yaml").write_text(JOURNEY, encoding="utf-8")
    lenient = run.invoke(app, ["test", "--journeys", str(journeys)])
    assert lenient.exit_code == 0
    assert "no example takes leave on Account Deleted as gone" in lenient.output
    assert run.invoke(app, ["test", "--strict-coverage", "--journeys", str(journeys)]).exit_code == 1


def test_an_unknown_journey_names_the_nearest(journeys: Path) -> None:
    result = run.invoke(app, ["test", "smaple", "--journeys", str(journeys)])
    assert result.exit_code == 1
    assert "did you mean `sample`?" in result.stderr
