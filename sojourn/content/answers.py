"""What a content asks about a person before it is rendered, and the answers, each with its because.

Conditions are the same as those of journeys. Whoever renders judges them first, by the facts at hand, and
hands the answers over: a template itself asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sojourn.content.slots import Arm, Line, file_of
from sojourn.errors import RenderError
from sojourn.language.conditions import Condition, ConditionError, Facts, parse

Score = Callable[[str], tuple[float, str]]
"""Gives a model's score of the person, and its because."""
Choose = Callable[[str, Sequence[Arm]], tuple[int | None, str]]
"""Lets a model choose one of several arms: its place, or None, and why. `by_score` is what a model that scores does."""


Recommend = Callable[[int], Sequence[tuple[Mapping[str, Any], str]]]
"""Gives at most so many items for the person, best first, each as contents speak of it and with its because."""


@dataclass(frozen=True)
class Asks:
    """What a content asks.

    Attributes:
        content: its name.
        conditions: of its sections.
        slots: by name, the lines that may fill each.
        recommends: how many items it shows at most; 0: none are asked for.
    """

    content: str
    conditions: tuple[str, ...] = ()
    slots: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    recommends: int = 0


@dataclass(frozen=True)
class Answer:
    """Whether a condition holds, and why."""

    holds: bool
    because: str


@dataclass(frozen=True)
class Filled:
    """What fills a slot: a template and its block; None where what stands in the slot itself does."""

    file: str | None
    block: str | None
    because: str


@dataclass(frozen=True)
class Answers:
    """What was judged for one message.

    Attributes:
        recommended: items as contents speak of them, best first, each with its because; None where nobody was asked.
    """

    conditions: Mapping[str, Answer] = field(default_factory=dict)
    slots: Mapping[str, Filled] = field(default_factory=dict)
    recommended: tuple[tuple[Mapping[str, Any], str], ...] | None = None


def by_score(score: Score) -> Choose:
    """Return a choice by a model's score: the first arm that it reaches."""

    def choose(model: str, arms: Sequence[Arm]) -> tuple[int | None, str]:
        value, why = score(model)
        place = next((i for i, arm in enumerate(arms) if arm.at_least is None or value >= arm.at_least), None)
        return place, f"{model} is {value:.2f}" + (f" ({why})" if why else "")

    return choose


def answer(asks: Asks, facts: Facts, segments: Mapping[str, Condition], choose: Choose, recommend: Recommend | None = None) -> Answers:
    """Return the answers to what a content asks.

    Args:
        asks: the questions.
        facts: of the person and the entry, at the present moment.
        segments: every segment's condition by name.
        choose: lets a model choose.
        recommend: gives items; asked only where the content shows some.

    Raises:
        RenderError: a condition cannot be judged.
    """

    def held(text: str) -> Answer:
        try:
            explained = parse(text).explain(facts, segments)
        except ConditionError as error:
            raise RenderError(f"{asks.content} has a condition that cannot be judged: {error}") from None
        return Answer(explained.holds, explained.sentence())

    conditions = {text: held(text) for text in asks.conditions}
    slots = {slot: _fill(asks.content, slot, lines, held, choose) for slot, lines in asks.slots.items()}
    recommended = tuple(recommend(asks.recommends)) if asks.recommends and recommend is not None else None
    return Answers(conditions, slots, recommended)


def _fill(content: str, slot: str, lines: Sequence[Line], held: Callable[[str], Answer], choose: Choose) -> Filled:
    passed: list[str] = []
    for i, line in enumerate(lines):
        found = held(line.if_) if line.if_ is not None else Answer(True, "")
        if not found.holds:
            passed.append(found.because)
            continue
        place, why = (0, "") if line.by is None else choose(line.by, line.arms)
        if place is not None:
            because = "; ".join(filter(None, (*passed, found.because, why))) or "it is for everyone"
            return Filled(file_of(content, slot, i, place), line.fillings()[place].block, because)
        passed.append(why)
    return Filled(None, None, "; ".join(passed) or "nothing is said of it")
