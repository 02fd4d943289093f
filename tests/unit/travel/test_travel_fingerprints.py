import json

from fingerprints import BASELINE, fingerprints

HINT = "the interpreter or a definition asks for other commands: is that meant? Then see tests/unit/travel/fingerprints.py"


def test_the_commands_of_every_journey_are_those_of_the_committed_baseline() -> None:
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    today = fingerprints()
    assert set(today) == set(baseline), HINT
    for journey, examples in today.items():
        assert examples == baseline[journey], f"{journey}: {HINT}"


def test_a_journey_that_judges_between_two_waits_asks_for_one_command_there() -> None:
    commands = fingerprints()["cart_abandonment"]["big cart, silent, gets the discount"]
    assert [command.split(":")[0] for command in commands] == ["timer 1h", "send at 1", "timer 1d", "send at 4.else.0", "timer 3d"]
