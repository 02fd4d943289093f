import re
from pathlib import Path

import pytest
from console_script import app
from typer.testing import CliRunner

FOLDER = str(Path(__file__).parents[3] / "journeys")
run = CliRunner()


def simulate(*arguments: str) -> str:
    result = run.invoke(app, ["simulate", *arguments, "--journeys", FOLDER])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("journey", ["cart_abandonment", "onboarding", "reengagement"])
def test_a_report_tells_outcomes_sends_and_branches(journey: str) -> None:
    report = simulate(journey, "--people", "200")
    assert report.startswith(f"200 people on {journey}")
    for heading in ("How it ended", "messages a person", "People who got", "came here", "journeys a second"):
        assert heading in report


def test_the_same_seed_gives_the_same_report_and_another_gives_another() -> None:
    def counts(seed: str) -> list[str]:
        return simulate("onboarding", "--people", "100", "--seed", seed).splitlines()[:-1]

    assert counts("7") == counts("7")
    assert counts("7") != counts("8")


def test_a_given_score_decides_for_everyone() -> None:
    report = simulate(
        "cart_abandonment", "--people", "50", "--happens", "0", "--given", "score.purchase_propensity=0.9", "--given", "event.price=40"
    )
    assert "left_alone  50  100.0%" in report
    assert "0.00 messages a person" in report


def test_a_certain_click_takes_everyone_down_the_clicked_branch() -> None:
    report = simulate(
        "cart_abandonment", "--people", "50", "--happens", "0", "--clicked", "1", "--delivered", "1",
        "--given", "score.purchase_propensity=0.1",
    )  # fmt: skip
    browsed = re.search(r"browsed +(\d+)", report)
    assert browsed is not None
    assert int(browsed[1]) >= 45  # the others are let in, and follow it later than the journey waits


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cart_abandonmen"], "did you mean `cart_abandonment`?"),
        (["onboarding", "--given", "plan"], "write a name, = and a value"),
        (["onboarding", "--chance", "Order Completed=often"], "a chance is a number from 0 to 0.95"),
        (["onboarding", "--within", "soon"], "is not a duration"),
        (["cart_abandonment", "--given", "event.price=1"], "the journey's filter lets none in"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(arguments: list[str], sentence: str) -> None:
    result = run.invoke(app, ["simulate", *arguments, "--people", "5", "--journeys", FOLDER])
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.output
